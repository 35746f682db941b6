//! Upstreams that speak HTTP by hand, so that they see what is sent and can lie.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A stream to the gateway, with TLS or without.
pub trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}
pub type Peer = BufReader<Box<dyn Duplex>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Request line and headers, as they came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// An upstream that listens until the test ends.
pub struct Backend {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    /// Requests that [`read`] has read whole.
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Backend {
    /// `serve` has each connection for itself.
    pub fn start(serve: impl Fn(&mut Peer, &Mutex<Vec<Request>>) + Send + Sync + 'static) -> Self {
        Self::with(None, serve)
    }

    pub fn with(
        tls: Option<Arc<ServerConfig>>,
        serve: impl Fn(&mut Peer, &Mutex<Vec<Request>>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (serve, count, requests) = (Arc::new(serve), connections.clone(), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let (serve, requests, tls) = (serve.clone(), requests.clone(), tls.clone());
                std::thread::spawn(move || serve(&mut BufReader::new(dress(stream, tls)), &requests));
            }
        });
        Self { address, connections, seen }
    }

    /// Answers each request with 200 and its head.
    pub fn echo() -> Self {
        Self::start(echo)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn dress(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Box<dyn Duplex> {
    stream.set_nodelay(true).unwrap();
    match tls {
        None => Box::new(stream),
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
    }
}

pub fn echo(peer: &mut Peer, seen: &Mutex<Vec<Request>>) {
    while let Some(request) = read(peer, seen) {
        let quiet = request.line().starts_with("HEAD ");
        let body = if quiet { "" } else { &request.head };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", request.head.len());
        let more = "Server: secret/1\r\nSet-Cookie: a=b\r\nVia: x\r\nCache-Control: no-store\r\n\r\n";
        if write!(peer.get_mut(), "{head}{more}{body}").and_then(|()| peer.get_mut().flush()).is_err() {
            return;
        }
    }
}

/// The head of a request; None at the end.
pub fn read_head(peer: &mut Peer) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if peer.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// A whole request, which is also put among the seen ones.
pub fn read(peer: &mut Peer, seen: &Mutex<Vec<Request>>) -> Option<Request> {
    let head = read_head(peer)?;
    let mut request = Request { head, body: Vec::new() };
    if let Some(length) = request.header("content-length").map(|text| text.parse().unwrap()) {
        request.body.resize(length, 0);
        peer.read_exact(&mut request.body).ok()?;
    } else if request.header("transfer-encoding").is_some() {
        while let Some(chunk) = read_chunk(peer)? {
            request.body.extend(chunk);
        }
    }
    seen.lock().unwrap().push(request.clone());
    Some(request)
}

/// One chunk; `Some(None)` is the last one.
#[allow(clippy::option_option)]
pub fn read_chunk(peer: &mut Peer) -> Option<Option<Vec<u8>>> {
    let mut line = String::new();
    peer.read_line(&mut line).ok()?;
    let mut chunk = vec![0; usize::from_str_radix(line.trim_end(), 16).ok()? + 2];
    peer.read_exact(&mut chunk).ok()?;
    assert!(chunk.ends_with(b"\r\n"), "no trailers");
    chunk.truncate(chunk.len() - 2);
    Some((!chunk.is_empty()).then_some(chunk))
}

/// Bytes as they are, pushed out.
pub fn say(peer: &mut Peer, bytes: &[u8]) -> bool {
    peer.get_mut().write_all(bytes).and_then(|()| peer.get_mut().flush()).is_ok()
}
