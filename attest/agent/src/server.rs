//! Sockets, deadlines, threads. A fixed number of threads each take one connection at a time, so the number of connections,
//! and with it memory, is bounded; who comes while all are busy waits in the kernel's backlog.
//!
//! The address of a client is never asked for (`incoming` drops it), and nothing of a request outlives its answer.

use crate::fault::Failure;
use crate::http::{head_end, parse_head, Head, Method, Refusal, Response, HEAD_LIMIT};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use socket2::SockRef;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Connections served at once. Init allows this program 64 threads: these, their successors for a moment, and three more.
const CONNECTIONS: usize = 32;
/// Bytes of one thread's stack; the deepest thing on it is a JSON parser with a depth limit of 128.
const STACK: usize = 256 << 10;
/// What is read and thrown away behind a refused request, so that closing does not destroy the answer
/// (RFC 9112 §9.6).
const LINGER_LIMIT: usize = 64 << 10;

/// Times for one connection, each for the whole of its part, however slowly the bytes drip.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// The request.
    pub read: Duration,
    /// The answer. Evidence with the largest firmware log has 1.4 MiB.
    pub write: Duration,
    /// The rest of a refused request.
    pub linger: Duration,
}

impl Deadlines {
    pub const SERVICE: Self =
        Self { read: Duration::from_secs(5), write: Duration::from_secs(10), linger: Duration::from_millis(500) };
}

/// When a thread that has served somebody makes way for another one.
#[derive(Debug, Clone, Copy)]
struct Turns {
    /// How long it waits for the next client.
    quiet: Duration,
    /// How long after its first client it takes others.
    longest: Duration,
}

impl Turns {
    const SERVICE: Self = Self { quiet: Duration::from_secs(30), longest: Duration::from_secs(60) };
}

/// Answers one complete request.
pub trait Handler: Sync {
    fn answer(&self, method: Method, path: &str, body: &[u8]) -> Response;
    /// Largest body, in bytes, that is read for this path.
    fn limit(&self, path: &str) -> usize;
}

/// Listens on all addresses, IPv6 and IPv4: Linux gives an IPv6 socket both as long as `net.ipv6.bindv6only`
/// is 0, its default. A kernel without IPv6 gets IPv4 alone.
pub fn listen(port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .map_err(|_| Failure::Bind)
}

/// Starts all threads. Returns when that is done; there are as many of them as long as the process lives.
pub fn serve(listener: TcpListener, handler: &'static impl Handler) -> Result<(), Failure> {
    serve_in_turns(Turns::SERVICE, listener, handler)
}

fn serve_in_turns(turns: Turns, listener: TcpListener, handler: &'static impl Handler) -> Result<(), Failure> {
    SockRef::from(&listener).set_read_timeout(Some(turns.quiet)).map_err(|_| Failure::Bind)?;
    let listener = Arc::new(listener);
    (0..CONNECTIONS).try_for_each(|_| start(turns, listener.clone(), handler)).map_err(|_| Failure::Threads)
}

/// A thread that serves until nobody has come to it for a while, or it has served for long; then it starts another one and ends.
/// Calls that have returned leave what they worked with on the thread's kernel stack (sending a TCP segment the client's address, in
/// `inet6_csk_xmit`), deeper than waiting for a client goes, and the kernel clears a stack before it gives it to the next thread.
/// (A thread for each connection made checks up to ten times as slow, under QEMU's translator.)
fn start(turns: Turns, listener: Arc<TcpListener>, handler: &'static impl Handler) -> std::io::Result<()> {
    let work = move || {
        let mut begun: Option<Instant> = None;
        loop {
            // Without asking who it is: what is not asked for is not told
            let quiet = match rustix::net::accept_with(&*listener, SocketFlags::CLOEXEC).map(TcpStream::from) {
                Ok(stream) => {
                    begun.get_or_insert_with(Instant::now);
                    serve_connection(&stream, handler, Deadlines::SERVICE);
                    false
                }
                Err(Errno::AGAIN) => true,
                // out of descriptors or memory, or the client is gone already: nothing to do but not to spin
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(10));
                    false
                }
            };
            let over = begun.is_some_and(|begun| quiet || begun.elapsed() >= turns.longest);
            // Without a successor, out of threads or memory, we are that ourselves, until there can be one
            if over && start(turns, listener.clone(), handler).is_ok() {
                return;
            }
        }
    };
    std::thread::Builder::new().stack_size(STACK).spawn(work).map(drop)
}

/// One request, one answer, closed.
pub fn serve_connection(stream: &TcpStream, handler: &impl Handler, deadlines: Deadlines) {
    let (response, refused) = match read_request(stream, handler, Instant::now() + deadlines.read) {
        Ok((head, body)) => (handler.answer(head.method, &head.path, &body), false),
        Err(Some(refusal)) => (refusal.into(), true),
        Err(None) => return,
    };
    let sent = write_all(stream, &response.bytes(), Instant::now() + deadlines.write);
    if sent && refused && stream.shutdown(Shutdown::Write).is_ok() {
        drain(stream, Instant::now() + deadlines.linger);
    }
}

/// Head and body. `Err(None)`: the client went away, there is nobody to answer.
fn read_request(
    stream: &TcpStream,
    handler: &impl Handler,
    deadline: Instant,
) -> Result<(Head, Vec<u8>), Option<Refusal>> {
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        let seen = bytes.len();
        if seen >= HEAD_LIMIT {
            return Err(Some(Refusal::HeadTooLarge));
        }
        read_some(stream, &mut bytes, HEAD_LIMIT - seen, deadline)?;
        if let Some(end) = head_end(&bytes, seen) {
            break end;
        }
    };
    let head = parse_head(&bytes[..end]).map_err(Some)?;
    if head.length > handler.limit(&head.path) {
        return Err(Some(Refusal::BodyTooLarge));
    }
    let mut body = bytes.split_off(end);
    while body.len() < head.length {
        let missing = head.length - body.len();
        read_some(stream, &mut body, missing, deadline)?;
    }
    // Bytes behind the body would be a second request; there is none on a connection that closes (RFC 9112 §9.6).
    body.truncate(head.length);
    Ok((head, body))
}

/// Appends at least one and at most `limit` bytes.
fn read_some(
    mut stream: &TcpStream,
    bytes: &mut Vec<u8>,
    limit: usize,
    deadline: Instant,
) -> Result<(), Option<Refusal>> {
    // This thread's stack lives as long as the machine, and nothing else clears it
    let mut buffer = Zeroizing::new([0; 2048]);
    let room = limit.min(buffer.len());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Some(Refusal::Timeout));
        }
        stream.set_read_timeout(Some(left)).map_err(|_| None)?;
        match stream.read(&mut buffer[..room]) {
            Ok(0) => return Err(None),
            Ok(n) => {
                bytes.extend_from_slice(&buffer[..n]);
                return Ok(());
            }
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Err(None),
        }
    }
}

/// False when the client is gone or too slow.
fn write_all(mut stream: &TcpStream, mut bytes: &[u8], deadline: Instant) -> bool {
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_write_timeout(Some(left)).is_err() {
            return false;
        }
        match stream.write(bytes) {
            Ok(0) => return false,
            Ok(n) => bytes = &bytes[n..],
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
    }
    true
}

fn drain(stream: &TcpStream, deadline: Instant) {
    let mut total = 0;
    let mut bytes = Vec::new();
    while total < LINGER_LIMIT && read_some(stream, &mut bytes, 2048, deadline).is_ok() {
        total += bytes.len();
        bytes.clear();
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
