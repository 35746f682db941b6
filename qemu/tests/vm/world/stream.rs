//! A download that takes as long as one wants.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of a piece, and time between two.
const PIECE: usize = 8192;
const PAUSE: Duration = Duration::from_millis(200);

/// An HTTP server that sends pieces over one connection, until it is told to end the page.
pub struct Stream {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<usize>>,
}

impl Stream {
    /// To be called in the outside. Serves one client.
    pub fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 8080)).unwrap();
        let address = listener.local_addr().unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let end = end.clone();
            move || serve(&listener, &end)
        });
        Self { address, end, thread }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Ends the page; gives its length. The client must have come.
    pub fn end(self) -> usize {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap().expect("the connection was never lost")
    }
}

/// Without a length, the page ends with the connection (RFC 9112 §6.3).
fn serve(listener: &TcpListener, end: &AtomicBool) -> std::io::Result<usize> {
    let (mut client, _) = listener.accept()?;
    // A connection that is closed with bytes unread would be reset.
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        request.extend(byte);
    }
    client.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
    let mut length = 0;
    while !end.load(Ordering::Relaxed) {
        client.write_all(&[b'x'; PIECE])?;
        length += PIECE;
        std::thread::sleep(PAUSE);
    }
    Ok(length)
}
