//! A tiny web server on the host's loopback. The guest's user-mode network reaches it as 203.0.113.2, so a page
//! fetched through the tunnel has gone client → tunnel → guest → NAT → out.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use vitrine_attest::{Error, Result};

/// The host's loopback as QEMU's user-mode network shows it to a guest; see [`crate::machine::Wire::User`].
pub const AS_SEEN_BY_GUEST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// Answers every request with its token and the address that asked. Stops when dropped.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    token: String,
    served: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// # Errors
    /// When no port is free.
    pub fn start() -> Result<Self> {
        Self::on((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// # Errors
    /// When it cannot listen there.
    pub fn on(address: SocketAddr) -> Result<Self> {
        let failed = |e: std::io::Error| Error::host(format!("no web server on {address}: {e}"), "");
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let token = vitrine_attest::digest::hex(&crate::random::bytes::<16>()?);
        let served = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (token, served, stop) = (token.clone(), served.clone(), stop.clone());
            move || serve(&listener, &token, &served, &stop)
        });
        Ok(Self { address, token, served, stop, thread: Some(thread) })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Random; who knows it has really been here.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Requests answered so far.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, token: &str, served: &AtomicUsize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, from)) => {
                // Whoever did not ask to the end gets nothing
                let _ = answer(stream, from, token, served);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn answer(mut stream: TcpStream, from: SocketAddr, token: &str, served: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = [0; 2048];
    let mut length = 0;
    while !request[..length].windows(4).any(|w| w == b"\r\n\r\n") && length < request.len() {
        match stream.read(&mut request[length..])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => length += count,
        }
    }
    let body = format!("{token}\n{from}\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // Before it is sent: who has the page finds it counted
    served.fetch_add(1, Ordering::Relaxed);
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_the_token() {
        let web = Web::start().unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", web.port())).unwrap();
        stream.write_all(&crate::http::request("x", "/")).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let (status, body) = crate::http::parse(&answer).unwrap();
        let expected = format!("{}\n{}\n", web.token(), stream.local_addr().unwrap());
        assert_eq!((status, body), (200, expected.as_bytes()));
        assert_eq!(web.served(), 1);
        drop(web);
    }
}
