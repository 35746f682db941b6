//! A download that takes as long as one wants.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Bytes of a piece, and time between two.
const PIECE: usize = 8192;
const PAUSE: Duration = Duration::from_millis(200);

/// An HTTP server that sends `pieces` pieces, slowly, over one connection.
pub struct Stream {
    address: SocketAddr,
    pieces: usize,
}

impl Stream {
    /// To be called in the outside. Serves one client.
    pub fn start(address: &str, length: Duration) -> Self {
        let listener = TcpListener::bind((address, 8080)).unwrap();
        let pieces = (length.as_millis() / PAUSE.as_millis()) as usize;
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept()?;
            write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", pieces * PIECE)?;
            for _ in 0..pieces {
                client.write_all(&[b'x'; PIECE])?;
                std::thread::sleep(PAUSE);
            }
            Ok::<(), std::io::Error>(())
        });
        Self { address, pieces }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How long the whole page is.
    pub fn bytes(&self) -> usize {
        self.pieces * PIECE
    }
}
