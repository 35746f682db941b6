//! A person with files and the program, and servers on this machine.
#![allow(dead_code)] // each test program uses its own part

pub mod logs;

use crate::mock::{Pid1, Scene};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// Status and body.
pub type Reply = (u16, Vec<u8>);

/// Serves until the test ends; each connection is one request.
pub fn serve(answer: impl Fn(&str, &[u8]) -> Option<Reply> + Send + 'static) -> String {
    serve_on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
}

/// The same on a socket of the test's.
pub fn serve_on(listener: TcpListener, answer: impl Fn(&str, &[u8]) -> Option<Reply> + Send + 'static) -> String {
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

/// What another server answers to the same request.
pub fn forward(url: &str, path: &str, body: &[u8]) -> Reply {
    let server = vitrine_verifier::server::Server::new(url, std::time::Duration::from_secs(60)).unwrap();
    let answer = server.post(path, "application/json", body, 8 << 20).unwrap();
    (answer.status, answer.body)
}

pub fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
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

/// A server as the agent is one.
pub struct Served {
    pub url: String,
    pub inside: Arc<Mutex<Inside>>,
}

/// What a test can look at and change while it serves.
pub struct Inside {
    pub scene: Scene,
    pub pid1: Pid1,
    /// What a lying agent answers to the next orders instead of PID 1.
    pub lies: Vec<Lie>,
    /// Answers of PID 1, sealed.
    pub answers: Vec<Vec<u8>>,
    /// How often evidence was asked for.
    pub looks: u32,
    /// What was brought, and what the agent hands out of it: itself, or a lie.
    pub brought: Option<Vec<u8>>,
    pub hands_out: fn(Option<Vec<u8>>) -> Option<Reply>,
    /// Changes something before evidence is made.
    pub before: fn(&mut Inside),
}

/// What an agent can do that is not ours.
pub enum Lie {
    /// Answers this, and lets PID 1 see nothing.
    Instead(u16, Vec<u8>),
    /// Answers with the n-th answer of PID 1, from an earlier order.
    Earlier(usize),
}

impl Inside {
    /// Without a body it is a GET.
    fn attachments(&mut self, body: &[u8]) -> Reply {
        let digest = vitrine_attest::Sha256::of(body);
        let ordered = self.pid1.attached;
        self.brought = self.brought.take().filter(|brought| ordered == Some(vitrine_attest::Sha256::of(brought)));
        match body {
            [] => (self.hands_out)(self.brought.clone()).unwrap_or((404, br#"{"code":"not-found"}"#.to_vec())),
            _ if ordered == Some(digest) => {
                self.brought = Some(body.to_vec());
                (200, format!("{{\"attached\":\"{digest}\"}}").into_bytes())
            }
            _ => (403, br#"{"code":"attachments-not-ordered"}"#.to_vec()),
        }
    }

    fn order(&mut self, sealed: &[u8]) -> Reply {
        match self.lies.pop() {
            Some(Lie::Instead(status, body)) => return (status, body),
            Some(Lie::Earlier(n)) => return (200, self.answers[n].clone()),
            None => {}
        }
        match self.pid1.take(sealed) {
            Ok(answer) => {
                self.answers.push(answer.clone());
                (200, answer)
            }
            Err(code) => (403, format!("{{\"code\":\"{code}\"}}").into_bytes()),
        }
    }
}

pub fn serve_scene(scene: Scene) -> Served {
    serve_scene_on(TcpListener::bind("127.0.0.1:0").unwrap(), scene)
}

pub fn serve_scene_on(listener: TcpListener, scene: Scene) -> Served {
    let most = scene.statement.predicate.config.peers.most as usize;
    let pid1 = Pid1::new(&scene.owner_key, most);
    let inside = Arc::new(Mutex::new(Inside {
        scene,
        pid1,
        lies: vec![],
        answers: vec![],
        looks: 0,
        brought: None,
        hands_out: |brought| brought.map(|bytes| (200, bytes)),
        before: |_| {},
    }));
    let served = inside.clone();
    let url = serve_on(listener, move |path, body| {
        let mut inside = served.lock().unwrap();
        Some(match path {
            "/v1/evidence" => {
                let request: vitrine_attest::evidence::EvidenceRequest = serde_json::from_slice(body).unwrap();
                inside.looks += 1;
                (inside.before)(&mut inside);
                inside.scene.nonce = request.nonce;
                (200, serde_json::to_vec(&inside.scene.evidence()).unwrap())
            }
            "/v1/activate" => match inside.scene.activate(body) {
                Some(m4) => (200, m4),
                None => (400, br#"{"code":"credential"}"#.to_vec()),
            },
            "/v1/order" => inside.order(body),
            "/v1/attachments" => inside.attachments(body),
            _ => (404, br#"{"code":"not-found"}"#.to_vec()),
        })
    });
    Served { url, inside }
}

/// The person's files, and the program.
pub struct Person {
    folder: tempfile::TempDir,
}

impl Person {
    pub fn of(scene: &Scene) -> Self {
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

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vitrine-verify"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("http_proxy", "http://127.0.0.1:9")
            .env("XDG_STATE_HOME", self.folder.path().join("state-home"))
            .output()
            .unwrap()
    }

    pub fn check(&self, target: &str, more: &str) -> Output {
        self.run(&format!("check {target} --statement statement --key key --timeout 60 {more}"))
    }
}

pub fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
pub fn ends(output: &Output, code: i32, first_line: &str) {
    let shown = text(output);
    assert_eq!(output.status.code(), Some(code), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.lines().next().unwrap_or_default().starts_with(first_line), "{shown}");
}

#[track_caller]
pub fn cannot_judge(output: &Output, says: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), text(output).as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains(says) && errors.lines().count() == 2, "{errors}");
}
