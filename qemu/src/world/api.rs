//! What stands behind a gateway: an HTTPS server that does as its path says and remembers what it saw.
//!
//! | path | answer |
//! |---|---|
//! | `/v1/head` | the request's head |
//! | `/v1/count` | the length of its body |
//! | `/v1/echo…` | a token of this server |
//! | `/v1/fail…` | 500, with all of the request; its target again as the reason and in a header |
//! | `/v1/stream`, `/v1/endless…` | events, [`PIECES`] of them or until nobody listens |
//! | `/v1/slow…` | a word, after [`THINKS`] |
//! | `/v1/large?N` | N bytes, the token of this server again and again |
//! | `/v1/break…` | a part of what it promises |

use crate::world::WEB;
use rustls::pki_types::{pem::PemObject as _, CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result};

/// Between two events of `/v1/stream`.
pub const PAUSE: Duration = Duration::from_millis(400);
/// Events of it.
pub const PIECES: usize = 5;
/// What `/v1/slow` thinks before it answers.
pub const THINKS: Duration = Duration::from_secs(1);
/// Bytes of a request's body that `/v1/fail` repeats.
const REPEATED: u64 = 1 << 20;

type Tls = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// Runs as long as the process: to be made once in a world, which ends with it.
#[derive(Debug, Clone)]
pub struct Api {
    heads: Arc<Mutex<Vec<String>>>,
    token: String,
}

impl Api {
    /// On [`WEB`], port 8443; beside it port 8444 takes connections and never says a word. `folder` is what `tools/test-ca.sh` left.
    /// To be called in the outside.
    ///
    /// # Errors
    /// When the files are missing, or a port is taken.
    pub fn start(folder: &Path) -> Result<Self> {
        let config = config(folder)?;
        let failed = |e: std::io::Error| Error::host(format!("no server on {WEB}: {e}"), "");
        let listener = TcpListener::bind((WEB, 8443)).map_err(failed)?;
        let silent = TcpListener::bind((WEB, 8444)).map_err(failed)?;
        let token = hex(&crate::random::bytes::<16>()?);
        let api = Self { heads: Arc::default(), token };
        std::thread::spawn({
            let api = api.clone();
            move || {
                for client in listener.incoming().flatten() {
                    let (api, config) = (api.clone(), config.clone());
                    std::thread::spawn(move || api.serve(client, config));
                }
            }
        });
        std::thread::spawn(move || silent.incoming().flatten().collect::<Vec<_>>());
        Ok(api)
    }

    /// Head of each request so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Random; who knows it has really been here.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Requests of one connection, until it ends.
    fn serve(&self, client: TcpStream, config: Arc<ServerConfig>) -> Option<()> {
        client.set_nodelay(true).ok()?;
        let mut tls = BufReader::with_capacity(64 << 10, StreamOwned::new(ServerConnection::new(config).ok()?, client));
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                (tls.read_line(&mut head).ok()? > 0).then_some(())?;
            }
            self.heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
            self.answer(&mut tls, &head)?;
        }
    }

    fn answer(&self, tls: &mut Tls, head: &str) -> Option<()> {
        let target = head.split(' ').nth(1)?.to_string();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let verb = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next()).unwrap_or("");
        match verb {
            "head" => whole(tls, 200, head.as_bytes()),
            "count" => {
                let length = body(tls, head, &mut std::io::sink())?;
                whole(tls, 200, length.to_string().as_bytes())
            }
            "echo" => {
                body(tls, head, &mut std::io::sink())?;
                whole(tls, 200, self.token.as_bytes())
            }
            "fail" => {
                let mut all = head.as_bytes().to_vec();
                body(tls, head, &mut all)?;
                let length = all.len();
                let head = format!("HTTP/1.1 500 {target}\r\nx-target: {target}\r\ncontent-length: {length}\r\n\r\n");
                send(tls, head.as_bytes())?;
                send(tls, &all)
            }
            "stream" => events(tls, PIECES),
            "endless" => events(tls, usize::MAX),
            "slow" => {
                body(tls, head, &mut std::io::sink())?;
                std::thread::sleep(THINKS);
                whole(tls, 200, b"thought")
            }
            "large" => large(tls, query.parse().ok()?, &self.token),
            "break" => {
                send(tls, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
                None
            }
            _ => {
                send(tls, b"HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\nx-internal: secret\r\nset-cookie: a=b\r\n\r\n")
            }
        }
    }
}

fn config(folder: &Path) -> Result<Arc<ServerConfig>> {
    let failed = |what: String| Error::input(what, "make it: tools/test-ca.sh DIR");
    let chain = CertificateDer::pem_file_iter(folder.join("upstream.pem"))
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let chain = chain.map_err(|e| failed(format!("{}/upstream.pem: {e}", folder.display())))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("upstream.key"));
    let key = key.map_err(|e| failed(format!("{}/upstream.key: {e}", folder.display())))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    config.map(Arc::new).map_err(|e| failed(format!("{}: {e}", folder.display())))
}

fn send(tls: &mut Tls, bytes: &[u8]) -> Option<()> {
    tls.get_mut().write_all(bytes).ok()?;
    tls.get_mut().flush().ok()
}

fn whole(tls: &mut Tls, status: u16, bytes: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {status} So\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n", bytes.len());
    send(tls, head.as_bytes())?;
    send(tls, bytes)
}

/// Server-sent events, one at a time.
fn events(tls: &mut Tls, count: usize) -> Option<()> {
    send(tls, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for n in 0..count {
        let event = format!("data: piece {n}\n\n");
        send(tls, format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        std::thread::sleep(PAUSE);
    }
    send(tls, b"0\r\n\r\n")
}

fn large(tls: &mut Tls, bytes: u64, token: &str) -> Option<()> {
    send(
        tls,
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {bytes}\r\n\r\n")
            .as_bytes(),
    )?;
    let piece: Vec<u8> = token.bytes().cycle().take(64 << 10).collect();
    let mut left = bytes;
    while left > 0 {
        let length = left.min(piece.len() as u64);
        send(tls, &piece[..usize::try_from(length).ok()?])?;
        left -= length;
    }
    Some(())
}

/// Reads a body, gives its length, and the first [`REPEATED`] bytes of each piece to `keep`.
fn body(tls: &mut Tls, head: &str, keep: &mut impl Write) -> Option<u64> {
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line[name.len()..].trim().to_string())
    };
    if let Some(length) = header("content-length:") {
        return take(tls, length.parse().ok()?, keep);
    }
    header("transfer-encoding:").map_or(Some(0), |_| chunks(tls, keep))
}

fn chunks(tls: &mut Tls, keep: &mut impl Write) -> Option<u64> {
    let mut sum = 0;
    loop {
        let mut line = String::new();
        tls.read_line(&mut line).ok()?;
        let length = u64::from_str_radix(line.trim(), 16).ok()?;
        take(tls, length, keep)?;
        // the line's end after the piece
        take(tls, 2, &mut std::io::sink())?;
        sum += length;
        if length == 0 {
            return Some(sum);
        }
    }
}

/// None when it ends before.
fn take(tls: &mut Tls, length: u64, keep: &mut impl Write) -> Option<u64> {
    let kept = std::io::copy(&mut tls.by_ref().take(length.min(REPEATED)), keep).ok()?;
    let rest = std::io::copy(&mut tls.by_ref().take(length - kept), &mut std::io::sink()).ok()?;
    (kept + rest == length).then_some(length)
}
