//! As much HTTP as a boot test needs: "does somebody answer there?", and reading a plain answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for one answer. QEMU accepts connections before the guest is there, and closes them later.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether an HTTP server answers there, with whatever status.
pub fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&request("vitrine", "/"))?;
        let mut begin = [0; 7];
        stream.read_exact(&mut begin)?;
        Ok(begin == *b"HTTP/1.")
    };
    ask().unwrap_or(false)
}

/// A GET request after which the server closes the connection (RFC 9112, §3, §9.6).
pub fn request(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Status and body of an answer that ended with the connection, without chunks.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(answer: &[u8]) -> Result<(u16, &[u8]), String> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or("the answer's head has no end")?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| "the answer's head is not text")?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("the answer has no status")?;
    if !head.starts_with("HTTP/1.") {
        return Err("the answer is not HTTP/1".into());
    }
    Ok((status, &answer[end + 4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody").unwrap(), (200, &b"body"[..]));
        for bad in [&b"HTTP/1.1 200 OK\r\n"[..], b"HTTP/1.1 x\r\n\r\n", b"SSH-2.0 200\r\n\r\n", b""] {
            assert!(parse(bad).is_err());
        }
    }

    #[test]
    fn nobody_answers_on_a_closed_port() {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!answers(address));
    }
}
