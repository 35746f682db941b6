//! The program as it is shipped: sealed, with a socket to "init" on descriptor 3.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PAGE: &str = "# TYPE vitrine_cpu gauge\nvitrine_cpu{class=\"low\"} 1\n";

struct Program {
    child: Child,
    init: UnixStream,
    port: u16,
}

impl Program {
    /// A shell puts the socket onto descriptor 3: it is passed as standard input.
    fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (mut init, theirs) = UnixStream::pair().unwrap();
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" 3<&0 </dev/null", env!("CARGO_BIN_EXE_vitrine-metrics")])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        init.write_all(format!("{{\"port\":{port}}}\n").as_bytes()).unwrap();
        Self { child, init, port }
    }

    fn tell(&mut self, page: &str) {
        let line = serde_json::json!({ "text": page }).to_string() + "\n";
        self.init.write_all(line.as_bytes()).unwrap();
    }

    fn connect(&self) -> TcpStream {
        let late = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(stream) => return stream,
                Err(error) => assert!(Instant::now() < late, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, request: &str) -> String {
        let (mut stream, mut answer) = (self.connect(), String::new());
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self) -> String {
        self.ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    }

    /// Asks until the page is this one.
    fn wait_page(&self, page: &str) {
        let late = Instant::now() + Duration::from_secs(10);
        while !self.get().ends_with(page) {
            assert!(Instant::now() < late);
        }
    }

    /// Its whole output once init is gone.
    fn end(self) -> (Option<i32>, Vec<u8>) {
        drop(self.init);
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), [output.stdout, output.stderr].concat())
    }
}

#[test]
fn serves_the_newest_page_and_says_nothing() {
    let mut program = Program::start();
    assert!(program.get().starts_with("HTTP/1.1 503 "), "no page yet");
    program.tell("old 1\n");
    program.tell(PAGE);
    program.wait_page(PAGE);
    let answer = program.get();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer == program.get(), "{answer}");
    assert!(program.ask("GET /other HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(program.ask("DELETE /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(program.ask(&"x".repeat(5000)).starts_with("HTTP/1.1 431 "));
    assert_eq!(program.end(), (Some(1), vec![]));
}

/// One that sends without end is cut off, and everybody else is served meanwhile.
#[test]
fn floods_end() {
    let mut program = Program::start();
    program.tell(PAGE);
    program.wait_page(PAGE);
    let mut flood = program.connect();
    flood.set_nonblocking(false).unwrap();
    flood.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let sent = (0..100_000).take_while(|_| flood.write_all(&[b'x'; 1024]).is_ok()).count();
    assert!(sent < 100_000, "100 MB were taken");
    assert!(program.get().ends_with(PAGE));
}

/// Silent clients take every place; they lose them, and the next one is served.
#[test]
fn silent_clients_cannot_keep_others_out() {
    let mut program = Program::start();
    program.tell(PAGE);
    program.wait_page(PAGE);
    let silent: Vec<TcpStream> = (0..40).map(|_| program.connect()).collect();
    let before = Instant::now();
    assert!(program.get().ends_with(PAGE));
    assert!(before.elapsed() >= Duration::from_secs(2), "there were places left: this test is too weak");
    drop(silent);
}

#[test]
fn other_messages_end_it() {
    let mut program = Program::start();
    program.tell(PAGE);
    program.wait_page(PAGE);
    program.init.write_all(b"{\"port\":1}\n").unwrap();
    assert_eq!(program.child.wait().unwrap().code(), Some(1));
}

/// What the kernel says about the running program.
#[test]
fn it_is_sealed() {
    let mut program = Program::start();
    program.tell(PAGE);
    program.wait_page(PAGE);
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!([field("NoNewPrivs:"), field("Seccomp:"), field("Seccomp_filters:")], ["1", "2", "2"]);
    assert_eq!(field("Threads:"), "1");
    program.end();
}
