//! Witnesses over real sockets, as programs of their own; logs that ask them, and witnesses that lie.

mod asked;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod served;
#[cfg(feature = "https")]
mod tls;

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

fn asked(
    witnesses: &[WitnessAt],
    log: &Log,
    size: usize,
    deadline: Duration,
) -> Vec<std::result::Result<u64, Failure>> {
    asked_by(&server::agent(), witnesses, log, size, deadline)
}

fn asked_by(
    agent: &ureq::Agent,
    witnesses: &[WitnessAt],
    log: &Log,
    size: usize,
    deadline: Duration,
) -> Vec<std::result::Result<u64, Failure>> {
    let mut prove = |old: u64| -> Result<Vec<Sha256>> { Ok(log.proof(old as usize, size)) };
    let outcomes = cosign(agent, witnesses, &log.note(size), &mut prove, deadline);
    assert!(outcomes.iter().zip(witnesses).all(|(outcome, at)| outcome.name == at.key.name()));
    outcomes.into_iter().map(|outcome| outcome.result.map(|line| line.time)).collect()
}

fn own(seed: u8) -> NoteKey {
    NoteKey::of_kind(Kind::Cosignature, NAME, SigningKey::from_bytes(&[seed; 32]).verifying_key()).unwrap()
}
