//! A gateway for tests: TLS by rustls, HTTP by hand, so that it can break off anywhere.

use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use vitrine_attest::Sha256;

/// A key and what it is shown in.
#[derive(Clone, Debug)]
pub struct Identity {
    shown: Arc<CertifiedKey>,
    pub spki: Sha256,
    versions: &'static [&'static SupportedProtocolVersion],
}

impl Identity {
    pub fn new() -> Self {
        Self::of(&KeyPair::generate().unwrap(), |_| {})
    }

    /// The certificate can say what it likes.
    pub fn of(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(["gateway.example".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.self_signed(key).unwrap().der().clone();
        Self { shown: Arc::new(certified(certificate, key)), spki: spki(key), versions: rustls::ALL_VERSIONS }
    }

    /// The same certificate, shown by somebody who has another key.
    pub fn stolen(&self) -> Self {
        let shown = certified(self.shown.cert[0].clone(), &KeyPair::generate().unwrap());
        Self { shown: Arc::new(shown), ..self.clone() }
    }

    pub fn only(self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        Self { versions, ..self }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(self.versions).unwrap();
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Fixed(self.shown.clone())));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

pub fn spki(key: &KeyPair) -> Sha256 {
    Sha256::of(&key.subject_public_key_info())
}

fn certified(certificate: CertificateDer<'static>, key: &KeyPair) -> CertifiedKey {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    CertifiedKey::new(vec![certificate], rustls::crypto::ring::sign::any_ecdsa_type(&key).unwrap())
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

pub struct Gateway {
    pub address: SocketAddr,
    identity: Arc<Mutex<Identity>>,
    pub connections: Arc<AtomicUsize>,
    /// Of requests, decrypted.
    pub bytes: Arc<AtomicUsize>,
    /// Lets `/steps` go on.
    pub go: Sender<()>,
    /// Connections that have ended.
    pub ended: Receiver<()>,
}

impl Gateway {
    pub fn start(identity: Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (go, steps) = channel();
        let (end, ended) = channel();
        let gateway = Self {
            address: listener.local_addr().unwrap(),
            identity: Arc::new(Mutex::new(identity)),
            connections: Arc::default(),
            bytes: Arc::default(),
            go,
            ended,
        };
        let (identity, connections, bytes) =
            (gateway.identity.clone(), gateway.connections.clone(), gateway.bytes.clone());
        let steps = Arc::new(Mutex::new(steps));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, SeqCst);
                let config = identity.lock().unwrap().config();
                let (bytes, steps, end) = (bytes.clone(), steps.clone(), end.clone());
                std::thread::spawn(move || {
                    let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream.unwrap());
                    let _ = Line { stream, buffer: vec![], bytes, steps }.serve();
                    let _ = end.send(());
                });
            }
        });
        gateway
    }

    /// What it shows to the next who come.
    pub fn change(&self, identity: Identity) {
        *self.identity.lock().unwrap() = identity;
    }
}

/// One connection.
struct Line {
    stream: StreamOwned<ServerConnection, TcpStream>,
    buffer: Vec<u8>,
    bytes: Arc<AtomicUsize>,
    steps: Arc<Mutex<Receiver<()>>>,
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

impl Line {
    fn serve(&mut self) -> io::Result<()> {
        while let Some(head) = self.head()? {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            match path.as_str() {
                "/echo" => self.echo(&head)?,
                "/steps" => {
                    self.write(CHUNKED)?;
                    for step in ["data: 1\n\n", "data: 2\n\n"] {
                        self.chunk(step.as_bytes())?;
                        let _ = self.steps.lock().unwrap().recv();
                    }
                    self.chunk(b"")?;
                }
                "/302" => self.write(
                    "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 5\r\n\r\nthere",
                )?,
                "/500" => self.write("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops")?,
                "/short" => return self.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
                "/cut" => {
                    self.write(CHUNKED)?;
                    return self.chunk(b"half");
                }
                "/until-the-end" => return self.write("HTTP/1.1 200 OK\r\n\r\nmaybe all"),
                "/none" => return Ok(()),
                "/last" => return self.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast"),
                path => match path.strip_prefix("/mebibytes/") {
                    Some(count) => self.mebibytes(count.parse().unwrap())?,
                    None => self.write(&format!(
                        "HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: {}\r\n\r\n{head}",
                        head.len()
                    ))?,
                },
            }
        }
        Ok(())
    }

    fn mebibytes(&mut self, count: usize) -> io::Result<()> {
        self.write(CHUNKED)?;
        for _ in 0..count {
            self.chunk(&[b'x'; 1 << 20])?;
        }
        self.chunk(b"")
    }

    /// Each piece of the body as it comes.
    fn echo(&mut self, head: &str) -> io::Result<()> {
        self.write(CHUNKED)?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if let Some(length) = length {
            let mut left: usize = length.parse().unwrap();
            while left > 0 {
                let piece = self.take(left)?;
                left -= piece.len();
                self.chunk(&piece)?;
            }
            return self.chunk(b"");
        }
        loop {
            let mut left = usize::from_str_radix(&self.line()?, 16).unwrap();
            if left == 0 {
                self.line()?;
                return self.chunk(b"");
            }
            while left > 0 {
                let piece = self.take(left)?;
                left -= piece.len();
                self.chunk(&piece)?;
            }
            self.line()?;
        }
    }

    /// In lower case; none: the client is gone.
    fn head(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Ok(Some(String::from_utf8(head).unwrap().to_lowercase()));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() && self.fill()? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = most.min(self.buffer.len());
        Ok(self.buffer.drain(..count).collect())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 1 << 16];
        let count = self.stream.read(&mut piece)?;
        self.bytes.fetch_add(count, SeqCst);
        self.buffer.extend(&piece[..count]);
        Ok(count)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }

    fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())?;
        self.stream.flush()
    }
}
