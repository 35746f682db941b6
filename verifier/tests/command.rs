//! The program as a person runs it: against a server on this machine, and against files.

mod mock;

use mock::Scene;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::Key32;
use vitrine_attest::order;

/// Status and body.
type Reply = (u16, Vec<u8>);

/// Serves until the test ends; each connection is one request.
fn serve(answer: impl Fn(&str, &[u8]) -> Option<Reply> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut silent = vec![];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (path, body) = request(&mut stream);
            match answer(&path, &body) {
                Some((status, body)) => {
                    let head =
                        format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
                }
                None => silent.push(stream),
            }
        }
    });
    address
}

fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = vec![];
    let mut chunk = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if bytes.len() - end - 4 >= length.trim().parse::<usize>().unwrap() {
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return (path, bytes[end + 4..].to_vec());
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return (String::new(), vec![]),
            Ok(count) => bytes.extend(&chunk[..count]),
        }
    }
}

/// A server as the agent is one, with its scene and the orders it got.
struct Served {
    url: String,
    orders: Arc<Mutex<Vec<Vec<u8>>>>,
}

fn serve_scene(scene: Scene) -> Served {
    let orders = Arc::new(Mutex::new(vec![]));
    let taken = orders.clone();
    let scene = Mutex::new(scene);
    let url = serve(move |path, body| {
        let mut scene = scene.lock().unwrap();
        Some(match path {
            "/v1/evidence" => {
                let request: vitrine_attest::evidence::EvidenceRequest = serde_json::from_slice(body).unwrap();
                scene.nonce = request.nonce;
                (200, serde_json::to_vec(&scene.evidence()).unwrap())
            }
            "/v1/activate" => match scene.activate(body) {
                Some(m4) => (200, m4),
                None => (400, br#"{"code":"credential"}"#.to_vec()),
            },
            "/v1/order" => {
                taken.lock().unwrap().push(body.to_vec());
                (204, vec![])
            }
            _ => (404, br#"{"code":"not-found"}"#.to_vec()),
        })
    });
    Served { url, orders }
}

/// The person's files, and the program.
struct Person {
    folder: tempfile::TempDir,
}

impl Person {
    fn of(scene: &Scene) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("statement", &scene.envelope().to_json().unwrap());
        write("key", format!("{}\n", scene.key()).as_bytes());
        write("roots", scene.tpm.ca());
        use ed25519_dalek::pkcs8::EncodePrivateKey as _;
        let pem = scene.owner_key.to_pkcs8_pem(Default::default()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(folder.path().join("owner")).unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vitrine-verify"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("http_proxy", "http://127.0.0.1:9")
            .output()
            .unwrap()
    }

    fn check(&self, target: &str, more: &str) -> Output {
        self.run(&format!("check {target} --statement statement --key key --timeout 5 {more}"))
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32, first_line: &str) {
    let shown = text(output);
    assert_eq!(output.status.code(), Some(code), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.lines().next().unwrap_or_default().starts_with(first_line), "{shown}");
}

#[track_caller]
fn cannot_judge(output: &Output, says: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), text(output).as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains(says) && errors.lines().count() == 2, "{errors}");
}

#[test]
fn accepted_saved_and_accepted_again() {
    let (scene, served) = (Scene::good(), serve_scene(Scene::good()));
    let person = Person::of(&scene);
    // the server has a TPM of its own: roots of another vendor do not do
    let output = person.check(&served.url, "--ek-roots roots");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[ek-chain-untrusted]") && !text(&output).contains("V1dX"), "{}", text(&output));

    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let output = person.check(&served.url, "--ek-roots roots --save record");
    ends(&output, 0, "ACCEPTED");
    assert!(text(&output).lines().next() == Some("ACCEPTED") && text(&output).contains(&Key32([0x57; 32]).to_string()));
    assert!(output.stderr.is_empty());
    let output = person.check("record", "--ek-roots roots --json");
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!((&report["verdict"], &report["level"]), (&"accepted".into(), &"L2".into()));
    assert_eq!(report["checks"].as_array().unwrap().len(), 22);
    assert!(report["remarks"][0].as_str().unwrap().contains("saved"), "{report}");
}

#[test]
fn without_roots_only_when_the_person_says_so() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let output = person.check(&served.url, "");
    ends(&output, 2, "COULD NOT JUDGE; V03 skipped");
    assert!(text(&output).contains("- V03") && text(&output).contains("[skipped]"));
    ends(&person.check(&served.url, "--accept-level L1"), 0, "ACCEPTED; at level L1 only, as asked: V03 skipped");
}

#[test]
fn bare_evidence_with_a_nonce() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::write(person.path("evidence"), to_canonical_json(&scene.evidence()).unwrap()).unwrap();
    let nonce = scene.nonce;
    cannot_judge(&person.check("evidence", "--ek-roots roots"), "--nonce");
    let line = format!("--ek-roots roots --nonce {nonce}");
    ends(&person.check("evidence", &line), 2, "COULD NOT JUDGE; V06 skipped");
    ends(&person.check("evidence", &format!("{line} --accept-level L1")), 0, "ACCEPTED; at level L1 only");
    let other = format!("--ek-roots roots --nonce {} --accept-level L1", "0".repeat(64));
    let output = person.check("evidence", &other);
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[extra-data-differs]"));
    std::fs::write(person.path("cut"), &to_canonical_json(&scene.evidence()).unwrap()[..500]).unwrap();
    cannot_judge(&person.check("cut", &line), "cut is no usable evidence");
}

#[test]
fn evidence_of_another_server() {
    // B relays A's evidence, but cannot open the credential that was made for A's TPM
    let (a, b) = (Mutex::new(Scene::good()), Scene::good());
    let person = Person::of(&a.lock().unwrap());
    let url = serve(move |path, body| {
        let mut a = a.lock().unwrap();
        Some(match path {
            "/v1/evidence" => {
                a.nonce = serde_json::from_slice::<vitrine_attest::evidence::EvidenceRequest>(body).unwrap().nonce;
                (200, serde_json::to_vec(&a.evidence()).unwrap())
            }
            _ => match b.activate(body) {
                Some(m4) => (200, m4),
                None => (400, br#"{"code":"credential"}"#.to_vec()),
            },
        })
    });
    let output = person.check(&url, "--ek-roots roots");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[activation-refused]") && text(&output).contains("credential (status 400)"));
}

#[test]
fn explained() {
    let mut scene = Scene::good();
    let person = Person::of(&scene);
    scene.measure(12, "EVIL=1");
    let served = serve_scene(scene);
    let output = person.check(&served.url, "--ek-roots roots --explain");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("EVIL=1") && text(&output).contains("PCR 12"), "{}", text(&output));
    let report = json(&person.check(&served.url, "--ek-roots roots --explain --json"));
    assert_eq!(report["explanation"]["differences"][0]["pcr"], 12);
    assert_eq!(report["keys"], serde_json::Value::Null);
}

#[test]
fn servers_that_do_not_keep_to_it() {
    let person = Person::of(&Scene::good());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cannot_judge(&person.check(&format!("http://{closed}"), ""), "cannot be asked");
    let started = Instant::now();
    let silent = serve(|_, _| None);
    let output = person.run(&format!("check {silent} --statement statement --key key --timeout 1"));
    cannot_judge(&output, "did not answer in time");
    assert!(started.elapsed() < Duration::from_secs(4));
    cannot_judge(&person.check(&serve(|_, _| Some((200, vec![b'x'; 5 << 20]))), ""), "more than 4194304 bytes");
    cannot_judge(&person.check(&serve(|_, _| Some((503, br#"{"code":"busy"}"#.to_vec()))), ""), "busy (status 503)");
    cannot_judge(&person.check(&serve(|_, _| Some((302, vec![]))), ""), "status 302");
    let nonce = format!("--nonce {}", "0".repeat(64));
    cannot_judge(&person.check(&serve(|_, _| Some((200, vec![]))), &nonce), "fresh nonce");
}

#[test]
fn a_server_that_answers_nonsense_is_rejected() {
    let person = Person::of(&Scene::good());
    let output = person.check(&serve(|_, _| Some((200, b"hello".to_vec()))), "");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[evidence-malformed]"));
}

#[test]
fn files_that_are_wrong() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let url = serve_scene(scene).url;
    std::fs::write(person.path("empty"), b"").unwrap();
    let with = |statement: &str, key: &str, more: &str| {
        person.run(&format!("check {url} --statement {statement} --key {key} {more}"))
    };
    cannot_judge(&with("missing", "key", ""), "missing");
    cannot_judge(&with("empty", "key", ""), "empty: statement");
    cannot_judge(&with("statement", "empty", ""), "empty: release key");
    cannot_judge(&with("statement", "statement", ""), "statement has more than");
    cannot_judge(&with("statement", "key", "--ek-roots empty"), "empty: EK roots");
    cannot_judge(&with("statement", "key", "--save no/such/folder"), "no/such/folder");
    cannot_judge(&person.check("https://127.0.0.1:1", ""), "plain HTTP");
    cannot_judge(&person.check("nowhere", ""), "nowhere");
}

#[test]
fn a_statement_changed_after_signing() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let mut envelope = scene.envelope();
    let at = envelope.payload.windows(7).position(|w| w == b"\"seq\":1").unwrap() + 6;
    envelope.payload[at] = b'2';
    std::fs::write(person.path("statement"), envelope.to_json().unwrap()).unwrap();
    let output = person.check(&serve_scene(scene).url, "--ek-roots roots");
    ends(&output, 1, "REJECTED");
    assert!(text(&output).contains("[statement-signature-invalid]"));
}

fn peers(person: &Person, url: &str, verb: &str) -> Output {
    let trust = "--statement statement --key key --ek-roots roots --owner-key owner";
    person.run(&format!("peers {verb} --server {url} {trust} --peer {}", Key32([7; 32])))
}

#[test]
fn peers_are_sealed_to_an_accepted_server() {
    let scene = Scene::good();
    let (person, owner) = (Person::of(&scene), Key32(scene.owner_key.verifying_key().to_bytes()));
    let served = serve_scene(scene);
    let output = peers(&person, &served.url, "add --allowed-ips 10.66.0.7/32,fd66::7/128");
    ends(&output, 0, "added ");
    let output = peers(&person, &served.url, "remove --json");
    assert_eq!(json(&output)["done"], "removed");
    let orders = served.orders.lock().unwrap();
    let add = order::open(&orders[0], &mock::CHANNEL_SECRET, &owner, 0).unwrap();
    assert_eq!((add.peer, add.allowed_ips.len()), (Key32([7; 32]), 2));
    let remove = order::open(&orders[1], &mock::CHANNEL_SECRET, &owner, add.seq).unwrap();
    assert_eq!(remove.op, order::Operation::Remove);
}

#[test]
fn no_order_leaves_for_a_server_that_is_not_accepted() {
    let mut scene = Scene::good();
    let person = Person::of(&scene);
    scene.measure(9, "another initramfs");
    let served = serve_scene(scene);
    ends(&peers(&person, &served.url, "remove"), 1, "REJECTED");
    assert!(served.orders.lock().unwrap().is_empty());
}

#[test]
fn owner_keys_that_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let mode = |mode| std::fs::set_permissions(person.path("owner"), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    cannot_judge(&peers(&person, &served.url, "remove"), "can be read by others");
    mode(0o600);
    let stranger = Person::of(&Scene { owner_key: mock::SigningKey::from_bytes(&[9; 32]), ..Scene::good() });
    std::fs::copy(stranger.path("owner"), person.path("owner")).unwrap();
    cannot_judge(&peers(&person, &served.url, "remove"), "not the owner's key");
    std::fs::write(person.path("owner"), b"-----BEGIN").unwrap();
    cannot_judge(&peers(&person, &served.url, "remove"), "no Ed25519 key");
    assert!(served.orders.lock().unwrap().is_empty());
}

#[test]
fn event_logs_man_page_and_completions() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::write(person.path("log"), &scene.firmware_log).unwrap();
    let output = person.run("event-log log");
    ends(&output, 0, "");
    let value = scene.registers().get(vitrine_attest::pcr::Pcr::KERNEL_INPUTS).unwrap();
    assert!(text(&output).contains(&format!("PCR 9   {value}")), "{}", text(&output));
    assert_eq!(json(&person.run("event-log log --json"))["events"].as_array().unwrap().len(), 6);
    std::fs::write(person.path("log"), &scene.firmware_log[..99]).unwrap();
    cannot_judge(&person.run("event-log log"), "cut off");
    assert!(
        text(&person.run("man")).contains("vitrine") && text(&person.run("completions bash")).contains("event-log")
    );
}

#[test]
fn help_fits_a_terminal() {
    let person = Person::of(&Scene::good());
    for verb in ["", "check", "peers", "peers add", "peers remove", "event-log", "completions"] {
        let help = text(&person.run(&format!("{verb} --help")));
        let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{verb}: {long:?}");
        assert!(verb == "peers" || help.contains("Example:"), "{verb}: {help}");
    }
}
