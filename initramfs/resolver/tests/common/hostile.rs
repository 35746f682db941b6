//! Authorities that do not play by the rules, on plain sockets.

use super::{host, AUTHORITIES};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// Answers every packet with what the function makes of it; ends when dropped.
pub struct Hostile {
    end: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Hostile {
    pub fn start(network: [u8; 3], number: u8, answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let address = SocketAddr::new(host(network, number).into(), AUTHORITIES);
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 4096];
            let mut count = 0;
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, asker)) = socket.recv_from(&mut buffer) else { continue };
                count += 1;
                for packet in answer(&buffer[..length]) {
                    let _ = socket.send_to(&packet, asker);
                }
            }
            count
        });
        Self { end, thread: Some(thread) }
    }

    /// Packets that came.
    pub fn count(mut self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
