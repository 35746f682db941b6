//! Witnesses over real sockets, as programs of their own; logs that ask them, and witnesses that lie.

use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use rustix::process::{kill_process, Pid, Signal};
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vitrine_attest::merkle;
use vitrine_attest::note::{sign, Note};
use vitrine_attest::tile::{Edge, Tile, Tree};
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::witness::to_text;
use vitrine_attest::{Result, Sha256};
use vitrine_verifier::server;
use vitrine_verifier::witness::{cosign, known_sizes, Failure, WitnessAt};

const LOG: &str = "log.example/vitrine";
const NAME: &str = "witness.example/w1";
const PATIENT: Duration = Duration::from_secs(20);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A log in memory. Two of different `history` are forks of each other.
struct Log {
    secret: SigningKey,
    leaves: Vec<Sha256>,
    tiles: std::collections::BTreeMap<Tile, Vec<Sha256>>,
}

impl Log {
    fn new(history: &str, size: usize) -> Self {
        let leaves: Vec<Sha256> = (0..size).map(|n| merkle::leaf(format!("{history} {n}").as_bytes())).collect();
        let (mut edge, mut tiles) = (Edge::default(), std::collections::BTreeMap::new());
        for leaf in &leaves {
            edge.push(*leaf, |tile, hashes| _ = tiles.insert(tile, hashes.to_vec()));
        }
        tiles.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
        Self { secret: SigningKey::from_bytes(&[1; 32]), leaves, tiles }
    }

    fn key(&self) -> NoteKey {
        NoteKey::new(LOG, self.secret.verifying_key()).unwrap()
    }

    fn text(&self, size: usize) -> String {
        let root = merkle::root(&self.leaves[..size]).unwrap_or_else(merkle::root_of_nothing);
        format!("{LOG}\n{size}\n{}\n", STANDARD.encode(root.0))
    }

    fn note(&self, size: usize) -> String {
        let text = self.text(size);
        format!("{text}\n{}", sign(&text, LOG, &self.secret, None).unwrap())
    }

    fn proof(&self, old: usize, new: usize) -> Vec<Sha256> {
        let fetch = |tile| Ok::<_, Infallible>(self.tiles[&tile].clone());
        Tree::new(self.leaves.len() as u64, fetch).consistency(old as u64, new as u64).unwrap()
    }

    fn request(&self, old: usize, new: usize) -> String {
        to_text(old as u64, &self.proof(old, new), &self.note(new))
    }
}

fn run(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
    command.arg("witness").arg(words[0]).arg(folder).args(&words[1..]).output().unwrap()
}

fn done(words: &[&str], folder: &Path) -> String {
    let output = run(words, folder);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(words: &[&str], folder: &Path) -> String {
    let output = run(words, folder);
    assert_eq!(output.status.code(), Some(2), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A witness's folder that trusts the log.
struct Place {
    _tempdir: tempfile::TempDir,
    folder: PathBuf,
    key: NoteKey,
}

fn place() -> Place {
    let tempdir = tempfile::tempdir().unwrap();
    let folder = tempdir.path().join("w");
    let key = NoteKey::of_log(done(&["init", "--name", NAME], &folder).trim()).unwrap();
    done(&["add-log", "--key", &Log::new("a", 0).key().to_string()], &folder);
    Place { _tempdir: tempdir, folder, key }
}

impl Place {
    fn serve(&self) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
        command.args(["witness", "serve"]).arg(&self.folder).args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("it did not begin").to_owned();
        Running { child, url }
    }

    fn shown(&self) -> serde_json::Value {
        serde_json::from_str(&done(&["show", "--json"], &self.folder)).unwrap()
    }

    fn size(&self) -> Option<u64> {
        self.shown()["logs"][LOG]["last"]["size"].as_u64()
    }

    fn at(&self, running: &Running, old: u64) -> WitnessAt {
        WitnessAt { key: self.key.clone(), url: running.url.clone(), old }
    }

    /// The time in a cosignature that holds.
    fn cosigned(&self, answer: &Answered, text: &str) -> u64 {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let note = Note::parse(format!("{text}\n{}", answer.body).as_bytes()).unwrap();
        let signers = note.signers(std::slice::from_ref(&self.key)).unwrap();
        signers[0].time.unwrap()
    }
}

struct Running {
    child: Child,
    url: String,
}

struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENT)).unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Answered {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answered { status: head[9..12].parse().unwrap(), head: head.to_lowercase(), body: body.into() }
    }

    fn add(&self, body: &str) -> Answered {
        self.ask("POST", "/add-checkpoint", body)
    }

    /// Its exit code.
    fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn growth_repeats_and_restarts() {
    let (log, place) = (Log::new("a", 300), place());
    let running = place.serve();
    assert_eq!(place.size(), None);
    let mut last = now();
    for (old, new) in [(0, 0), (0, 1), (1, 1), (1, 5), (5, 5), (5, 300), (300, 300)] {
        let time = place.cosigned(&running.add(&log.request(old, new)), &log.text(new));
        assert!((last..=now()).contains(&time), "{old} to {new}");
        assert_eq!(place.size(), Some(new as u64));
        last = time;
    }
    // a fresh cosignature of the same checkpoint: the log is not frozen
    std::thread::sleep(Duration::from_millis(1100));
    let again = place.cosigned(&running.add(&log.request(300, 300)), &log.text(300));
    assert!(again > last);
    assert_eq!(running.end(Signal::TERM), Some(0));
    let kept = place.shown()["logs"][LOG]["last"].clone();
    assert_eq!((kept["time"].as_u64(), kept["note"].as_str()), (Some(again), Some(log.note(300).as_str())));
    let running = place.serve();
    let behind = running.add(&log.request(5, 300));
    assert_eq!((behind.status, behind.body.as_str()), (409, "300\n"));
    place.cosigned(&running.add(&log.request(300, 300)), &log.text(300));
    assert_eq!(running.end(Signal::INT), Some(0));
    assert!(done(&["show"], &place.folder).contains("Entries  300"));
}

#[test]
fn refusals_by_status() {
    let (log, fork, place) = (Log::new("a", 9), Log::new("b", 9), place());
    let running = place.serve();
    place.cosigned(&running.add(&log.request(0, 5)), &log.text(5));
    let good = log.request(5, 9);
    let stranger = Log { secret: SigningKey::from_bytes(&[2; 32]), ..Log::new("a", 9) };
    for (status, body) in [
        (404, good.replace(LOG, "log.example/other")),
        (403, stranger.request(5, 9)),
        (403, good.replacen(&format!("{LOG}\n9\n"), &format!("{LOG}\n10\n"), 1)),
        (400, to_text(6, &[], &log.note(5))),
        (422, to_text(5, &[], &log.note(9))),
        (422, to_text(5, &log.proof(4, 9), &log.note(9))),
        (422, fork.request(5, 9)),
        (422, to_text(5, &[Sha256::ZERO], &log.note(5))),
        (400, String::new()),
        (400, "old 5\n".into()),
        (400, good.replace("old 5", "old 05")),
        (400, good.replace('\n', "\r\n")),
        (413, format!("{good}{}", "x".repeat(16 << 10))),
        (413, "x".repeat(500_000)),
    ] {
        let answer = running.add(&body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    for body in [log.request(0, 9), log.request(4, 9), log.request(6, 9), log.request(9, 9), fork.request(5, 5)] {
        let answer = running.add(&body);
        assert_eq!((answer.status, answer.body.as_str()), (409, "5\n"), "{body}");
        assert!(answer.head.contains("content-type: text/x.tlog.size"), "{}", answer.head);
    }
    assert_eq!(running.ask("POST", "/", &good).status, 404);
    assert_eq!(running.ask("GET", "/add-checkpoint", "").status, 405);
    assert_eq!(running.ask("PUT", "/add-checkpoint", &good).status, 405);
    assert_eq!(place.size(), Some(5), "a refusal has changed what is known");
    place.cosigned(&running.add(&good), &log.text(9));
}

/// A log changes its key: the witness trusts both, and one is enough.
#[test]
fn two_keys_of_one_log() {
    let (log, place) = (Log::new("a", 9), place());
    let rotated = Log { secret: SigningKey::from_bytes(&[2; 32]), ..Log::new("a", 9) };
    let running = place.serve();
    place.cosigned(&running.add(&log.request(0, 5)), &log.text(5));
    assert_eq!(running.add(&rotated.request(5, 9)).status, 403);
    let file = place.folder.join("new.pub");
    std::fs::write(&file, format!("{}\n", rotated.key())).unwrap();
    let add = ["add-log", "--key", file.to_str().unwrap()];
    assert!(refused(&add, &place.folder).contains("another witness works"));
    drop(running);
    assert!(done(&add, &place.folder).contains("2 keys"));
    assert!(done(&add, &place.folder).contains("trusted before"));
    let running = place.serve();
    place.cosigned(&running.add(&rotated.request(5, 9)), &log.text(9));
}

#[test]
fn folders_that_are_refused() {
    let place = place();
    assert!(refused(&["init", "--name", NAME], &place.folder).contains("already"));
    assert!(refused(&["add-log", "--key", &place.key.to_string()], &place.folder).contains("key of a witness"));
    assert!(refused(&["add-log", "--key", "nonsense"], &place.folder).contains("nonsense"));
    assert!(refused(&["serve"], &place.folder.join("none")).contains("witness init"));
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let running = place.serve();
    assert!(refused(&serve, &place.folder).contains("another witness"));
    drop(running);
    let state = place.folder.join("state.json");
    let whole = std::fs::read_to_string(&state).unwrap();
    for damaged in [whole[..30].to_owned(), whole.replace("vitrine+", "vitrine2+"), String::new()] {
        std::fs::write(&state, damaged).unwrap();
        let error = refused(&serve, &place.folder);
        assert!(error.contains("damaged") && error.contains("make a new witness"), "{error}");
    }
    std::fs::remove_file(&state).unwrap();
    assert!(refused(&serve, &place.folder).contains("make a new witness"));
}

/// What was answered is remembered, however the witness ends: killed after each answer, and in the middle of many.
#[test]
fn killed_witnesses_remember() {
    let (log, place) = (Log::new("a", 40), place());
    for size in 0..4 {
        let running = place.serve();
        place.cosigned(&running.add(&log.request(size, size + 1)), &log.text(size + 1));
        running.end(Signal::KILL);
        assert_eq!(place.size(), Some(size as u64 + 1));
    }
    let mut size = 4;
    while size < 40 {
        let running = place.serve();
        let pid = Pid::from_child(&running.child);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(15));
            let _ = kill_process(pid, Signal::KILL);
        });
        // answers until there are none
        while size < 40 && answered(&running, &log.request(size, size + 1)) {
            size += 1;
        }
        killer.join().unwrap();
        drop(running);
        let kept = place.size().unwrap() as usize;
        assert!(kept == size || kept == size + 1, "{size} were answered, {kept} are remembered");
        size = kept;
    }
}

/// Whether a cosignature came: not so when the witness was killed meanwhile.
fn answered(running: &Running, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(running.url.strip_prefix("http://").unwrap()) else { return false };
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = String::new();
    let asked = stream.write_all(format!("{head}{body}").as_bytes());
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ") && answer.contains(NAME)
}

#[test]
fn a_slow_client_holds_nobody_up() {
    let (log, place) = (Log::new("a", 21), place());
    let running = place.serve();
    let request = log.request(0, 1);
    let slow: Vec<TcpStream> = (0..60)
        .map(|n| {
            let mut stream = running.connect();
            let head = format!("POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n\r\n", request.len());
            let begun = [&b"POST /add"[..], head.as_bytes(), format!("{head}old 0\n").as_bytes()][n % 3].to_vec();
            stream.write_all(&begun).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    for size in 0..20 {
        place.cosigned(&running.add(&log.request(size, size + 1)), &log.text(size + 1));
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(slow);
}

/// Two requests that both begin at what is known: one is granted, and the other sees it. Whatever the order, no size is ever
/// given back.
#[test]
fn racing_requests() {
    let (log, place) = (Log::new("a", 100), place());
    let running = place.serve();
    let mut size = 0;
    while size + 5 <= 100 {
        let bodies = [log.request(size, size + 2), log.request(size, size + 5)];
        let answers: Vec<Answered> = std::thread::scope(|scope| {
            let threads = bodies.each_ref().map(|body| scope.spawn(|| running.add(body)));
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let granted: Vec<usize> = [2, 5]
            .into_iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.status == 200)
            .map(|(n, _)| size + n)
            .collect();
        assert_eq!(granted.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        let other = answers.iter().find(|answer| answer.status != 200).unwrap();
        assert_eq!((other.status, other.body.clone()), (409, format!("{}\n", granted[0])));
        size = granted[0];
        assert_eq!(place.size(), Some(size as u64));
    }
}

fn asked(
    witnesses: &[WitnessAt],
    log: &Log,
    size: usize,
    deadline: Duration,
) -> Vec<std::result::Result<u64, Failure>> {
    let mut prove = |old: u64| -> Result<Vec<Sha256>> { Ok(log.proof(old as usize, size)) };
    let outcomes = cosign(&server::agent(), witnesses, &log.note(size), &mut prove, deadline);
    assert!(outcomes.iter().zip(witnesses).all(|(outcome, at)| outcome.name == at.key.name()));
    outcomes.into_iter().map(|outcome| outcome.result.map(|line| line.time)).collect()
}

#[test]
fn a_log_asks_its_witnesses() {
    let (log, places) = (Log::new("a", 300), [place(), place(), place()]);
    let running = places.each_ref().map(Place::serve);
    // each remembers another size of them: right, too small, too large
    let at = |old: [u64; 3]| -> Vec<WitnessAt> { (0..3).map(|n| places[n].at(&running[n], old[n])).collect() };
    for (old, size) in [([0, 0, 0], 5), ([5, 0, 7], 9), ([9, 9, 400], 300), ([300, 0, 1], 300)] {
        let times = asked(&at(old), &log, size, PATIENT);
        assert!(times.iter().all(|time| time.as_ref().is_ok_and(|time| now() - time < 60)), "{times:?}");
        assert!(places.iter().all(|place| place.size() == Some(size as u64)));
    }
    let mut prove = |_: u64| -> Result<Vec<Sha256>> { Ok(vec![]) };
    // cosignatures of others are not sent on: the note with them is as good
    let mut lines = String::new();
    for outcome in cosign(&server::agent(), &at([300; 3]), &log.note(300), &mut prove, PATIENT) {
        lines += &outcome.result.unwrap().line;
    }
    let whole = format!("{}{lines}", log.note(300));
    let keys: Vec<NoteKey> = places.iter().map(|place| place.key.clone()).chain([log.key()]).collect();
    assert_eq!(Note::parse(whole.as_bytes()).unwrap().signers(&keys).unwrap().len(), 4);
    assert!(cosign(&server::agent(), &at([300; 3]), &whole, &mut prove, PATIENT).iter().all(|o| o.result.is_ok()));
}

/// A restored backup asks before it signs; a fork is told from one.
#[test]
fn the_fork_guard() {
    let (log, fork, place) = (Log::new("a", 300), Log::new("b", 300), place());
    let running = place.serve();
    let at = [place.at(&running, 0)];
    let known = |log: &Log, size| known_sizes(&server::agent(), &at, &log.note(size), PATIENT).remove(0).result;
    assert_eq!(known(&log, 5), Ok(0));
    assert!(asked(&at, &log, 200, PATIENT)[0].is_ok());
    assert_eq!([known(&log, 150), known(&log, 200), known(&log, 300)], [Ok(200), Ok(200), Ok(200)]);
    assert_eq!(known(&fork, 200), Err(Failure::Conflict));
    assert_eq!(asked(&at, &log, 150, PATIENT), [Err(Failure::Ahead { size: 200 })]);
    assert_eq!(asked(&at, &fork, 200, PATIENT), [Err(Failure::Conflict)]);
    assert_eq!(asked(&at, &fork, 300, PATIENT), [Err(Failure::Refused { status: 422 })]);
    let stranger = Log { secret: SigningKey::from_bytes(&[2; 32]), ..Log::new("a", 300) };
    assert_eq!(asked(&at, &stranger, 300, PATIENT), [Err(Failure::Refused { status: 403 })]);
    assert_eq!(place.size(), Some(200));
    // the witness has kept what proves the fork, for anybody who has the log's key
    let kept = place.shown()["logs"][LOG]["fork"].clone();
    for (name, note) in [("known", log.note(200)), ("other", fork.note(200))] {
        assert_eq!(kept[name].as_str(), Some(note.as_str()));
        assert_eq!(Note::parse(note.as_bytes()).unwrap().signers(&[log.key()]).unwrap().len(), 1);
    }
    assert!(done(&["show"], &place.folder).contains("FORKED"));
    drop(running);
    assert!(asked(&[place.at(&place.serve(), 200)], &log, 300, PATIENT)[0].is_ok(), "the known history goes on");
}

/// Answers each connection's request with these bytes, and tells how often it was asked.
fn liar(answer: impl Fn(usize) -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                if stream.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body);
            let _ = stream.get_mut().write_all(&answer(counted.fetch_add(1, Ordering::SeqCst)));
        }
    });
    (url, count)
}

fn http(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn own(seed: u8) -> NoteKey {
    NoteKey::of_kind(Kind::Cosignature, NAME, SigningKey::from_bytes(&[seed; 32]).verifying_key()).unwrap()
}

/// What a witness with key 9 at this address comes to.
fn told(url: &str, log: &Log, size: usize) -> std::result::Result<u64, Failure> {
    let at = [WitnessAt { key: own(9), url: url.into(), old: 0 }];
    asked(&at, log, size, Duration::from_secs(3)).remove(0)
}

#[test]
fn witnesses_that_lie() {
    let log = Log::new("a", 9);
    let line = |text: &str, seed: u8, time| sign(text, NAME, &SigningKey::from_bytes(&[seed; 32]), time).unwrap();
    let (text, other) = (log.text(9), log.text(8));
    let good = line(&text, 9, Some(now()));
    let answering = |answer: Vec<u8>| told(&liar(move |_| answer.clone()).0, &log, 9);
    assert!(answering(http(200, &good)).is_ok());
    let wrong_bytes = format!("{}AAAA=\n", &good[..good.len() - 7]);
    for body in [
        String::new(),
        "<html>\n".into(),
        wrong_bytes,
        line(&other, 9, Some(now())),
        line(&text, 8, Some(now())),
        line(&text, 9, None),
        line(&text, 9, Some(now() - 2 * 3600)),
        line(&text, 9, Some(now() + 2 * 3600)),
        line(&text, 9, Some(0)),
        format!("{good}{}", line(&other, 9, Some(now()))),
    ] {
        let result = answering(http(200, &body));
        assert!(matches!(result, Err(Failure::BadSignature(_))), "{body}: {result:?}");
    }
    for body in [10 << 20, 20 << 10] {
        let result = answering(http(200, &"x".repeat(body)));
        assert_eq!(result, Err(Failure::Unreachable("it sent more than 16384 bytes".into())));
    }
    assert_eq!(answering(http(409, "12\n")), Err(Failure::Ahead { size: 12 }));
    assert_eq!(answering(http(409, "9\n")), Err(Failure::Conflict));
    assert_eq!(answering(http(409, "0\n")), Err(Failure::Refused { status: 409 }));
    assert!(matches!(answering(http(409, "many\n")), Err(Failure::Unreachable(_))));
    assert_eq!(answering(http(301, "")), Err(Failure::Refused { status: 301 }));
    // always elsewhere: asked twice, not for ever
    let (url, count) = liar(|n| http(409, &format!("{}\n", n % 2 + 3)));
    assert_eq!(told(&url, &log, 9), Err(Failure::Refused { status: 409 }));
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn witnesses_that_are_down_or_slow() {
    let (log, place) = (Log::new("a", 9), place());
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let running = place.serve();
    let (ill, times) = liar(|_| http(503, ""));
    let good = sign(&log.text(9), NAME, &SigningKey::from_bytes(&[9; 32]), Some(now())).unwrap();
    let (recovering, _) = liar(move |n| if n < 2 { http(503, "") } else { http(200, &good) });
    let at = |url: &str| WitnessAt { key: own(9), url: url.into(), old: 0 };
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let witnesses = [
        at(&closed),
        at(&silent_url),
        at(&ill),
        at(&recovering),
        at("https://w.example"),
        at("nonsense"),
        place.at(&running, 0),
    ];
    let begun = Instant::now();
    let results = asked(&witnesses, &log, 9, Duration::from_secs(3));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(matches!(results[0], Err(Failure::Unreachable(_))), "{results:?}");
    assert!(matches!(results[1], Err(Failure::Unreachable(_))), "{results:?}");
    assert_eq!(results[2], Err(Failure::Refused { status: 503 }));
    assert!((2..20).contains(&times.load(Ordering::SeqCst)), "asked again, not without a pause");
    assert!(results[3].is_ok() && results[6].is_ok(), "{results:?}");
    assert!(matches!(&results[4], Err(Failure::Address(why)) if why.contains("no TLS")));
    assert!(matches!(&results[5], Err(Failure::Address(_))));
    let mut prove = |_: u64| -> Result<Vec<Sha256>> { Ok(vec![]) };
    let unsigned = format!("{}\n", log.text(9));
    let ours = cosign(&server::agent(), &witnesses, &unsigned, &mut prove, Duration::from_secs(3));
    assert!(ours.iter().all(|outcome| matches!(outcome.result, Err(Failure::Ours(_)))));
}
