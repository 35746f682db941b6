//! The real program on loopback, under its sandbox, between a client and upstreams of the test's own.
#![allow(dead_code, clippy::disallowed_macros, clippy::disallowed_methods)] // each test file uses its part; a test may print

pub mod backend;
pub mod two;

use ring::signature::KeyPair as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_attest::config::{Gateway, Span};
use vitrine_attest::inside::{GatewayStart, TlsKey};
use vitrine_tls_peer::Stream;

/// A configuration with one plain upstream at `/v1`; `more` are lines before the tables.
pub fn plain(upstream: SocketAddr, more: &str) -> String {
    format!(
        "routes = [{{ prefix = \"/v1\", upstream = \"u\" }}]\n{more}\n\
         [upstreams.u]\naddresses = [\"{upstream}\"]\nname = \"api.example\"\nprotocol = \"plain\"\n"
    )
}

/// A gateway that runs; it has to end well and in silence.
pub struct Running {
    pub address: SocketAddr,
    pub init: Option<UnixStream>,
    /// The public key that clients compare, as the evidence has it.
    pub point: Vec<u8>,
    child: Child,
}

impl Running {
    pub fn start(config: &str) -> Self {
        Self::start_with(config, None)
    }

    /// `quiet_after`: init wants to know.
    pub fn start_with(config: &str, quiet_after: Option<Span>) -> Self {
        let mut gateway: Gateway = toml::from_str(config).unwrap();
        gateway.port = free_port();
        let address = SocketAddr::from(([127, 0, 0, 1], gateway.port));
        let (key, point) = tls_key();
        let start = GatewayStart { gateway, addresses: vec![address.ip()], tls_key: key, quiet_after };
        let (init, child) = spawn();
        (&init).write_all(format!("{}\n", serde_json::to_string(&start).unwrap()).as_bytes()).unwrap();
        let running = Self { address, init: Some(init), point, child };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in KiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// A TLS connection for HTTP/1.1.
    pub fn connect(&self) -> Stream {
        vitrine_tls_peer::connect(self.address, b"http/1.1", Some(&self.point), Duration::from_secs(20))
    }

    /// Sends bytes on a connection of their own and reads until the gateway closes it.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // it may have been answered and closed already
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// One request that ends its connection; head without the empty line.
    pub fn ask(&self, head: &str, body: &[u8]) -> String {
        self.raw(&[format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(), body].concat())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.init.take());
        let begin = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if begin.elapsed() > Duration::from_secs(10) => break None,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let _ = self.child.kill();
        let mut said = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        if !std::thread::panicking() {
            assert_eq!(status.map(|status| status.code()), Some(Some(0)), "it ends with init");
            assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
            assert!(!std::path::Path::new(KEY_LOG).exists(), "keys of TLS were written down");
        }
    }
}

/// The program with init's socket as its descriptor 3, and with every switch on by which its libraries say more: what init does not
/// do, and what has to change nothing.
pub fn spawn() -> (UnixStream, Child) {
    let (init, theirs) = UnixStream::pair().unwrap();
    let binary =
        std::env::var_os("VITRINE_GATEWAY_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_vitrine-gateway").into());
    let mut command = Command::new("/bin/sh");
    // the shell puts the socket where init would
    command.args(["-c", "exec \"$0\" 3<&0 0</dev/null"]).arg(binary);
    command.envs([
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "full"),
        ("RUST_LIB_BACKTRACE", "1"),
        ("SSLKEYLOGFILE", KEY_LOG),
    ]);
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
    (init, command.spawn().unwrap())
}

/// Where TLS libraries write the keys of their connections, when they are asked to.
const KEY_LOG: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/keys-of-tls");

/// An ECDSA P-256 key as init makes it, and its public point.
pub fn tls_key() -> (TlsKey, Vec<u8>) {
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    (TlsKey(document.as_ref().to_vec()), pair.public_key().as_ref().to_vec())
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status of an answer, and its body as it came.
pub fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// An answer of the gateway's own: nothing but status, type, length and one fixed word.
pub fn is_error(answer: &str, status: u16, word: &str) -> bool {
    let body = format!("{{\"error\":\"{word}\"}}");
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let mut lines: Vec<&str> = head.split("\r\n").skip(1).filter(|line| *line != "connection: close").collect();
    lines.sort_unstable();
    let length = format!("content-length: {}", body.len());
    self::status(answer) == status && rest == body && lines == [length.as_str(), "content-type: application/json"]
}

/// Waits for something that happens soon.
pub fn soon(what: &str, mut happens: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happens() {
        assert!(begin.elapsed() < Duration::from_secs(15), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
