//! Somebody on the wire between a resolver and its forwarder: sees every packet, and decides what arrives.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

/// A question, the packet with which the forwarder answers, and what the resolver gets instead of it.
pub type Alter = Arc<dyn Fn(Way, &[u8], Vec<u8>) -> Vec<Vec<u8>> + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Udp,
    Tcp,
}

/// Packets in the order in which they came.
type Packets = Vec<(Way, Vec<u8>)>;

/// Lives until the process ends.
#[derive(Clone)]
pub struct Wire {
    to: SocketAddr,
    alter: Alter,
    /// What the resolver sent.
    sent: Arc<Mutex<Packets>>,
}

impl Wire {
    pub fn start(listen: SocketAddr, to: SocketAddr, alter: Alter) -> Self {
        let this = Self { to, alter, sent: Arc::default() };
        let (udp, tcp) = (UdpSocket::bind(listen).unwrap(), TcpListener::bind(listen).unwrap());
        let (one, other) = (this.clone(), this.clone());
        std::thread::spawn(move || one.udp(udp));
        std::thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let this = other.clone();
                std::thread::spawn(move || this.tcp(stream));
            }
        });
        this
    }

    pub fn sent(&self) -> Packets {
        self.sent.lock().unwrap().clone()
    }

    fn note(&self, way: Way, packet: &[u8]) {
        self.sent.lock().unwrap().push((way, packet.to_vec()));
    }

    fn udp(self, socket: UdpSocket) {
        let mut buffer = vec![0; 65536];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer) {
            let (packet, this, socket) = (buffer[..length].to_vec(), self.clone(), socket.try_clone().unwrap());
            this.note(Way::Udp, &packet);
            std::thread::spawn(move || {
                let out = UdpSocket::bind("127.0.0.1:0").unwrap();
                out.set_read_timeout(Some(PATIENCE)).unwrap();
                out.send_to(&packet, this.to).unwrap();
                let mut buffer = vec![0; 65536];
                let Ok(length) = out.recv(&mut buffer) else { return };
                for packet in (this.alter)(Way::Udp, &packet, buffer[..length].to_vec()) {
                    let _ = socket.send_to(&packet, asker);
                }
            });
        }
    }

    fn tcp(self, mut stream: TcpStream) -> Option<()> {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let question = frame(&mut stream)?;
        self.note(Way::Tcp, &question);
        let mut out = TcpStream::connect(self.to).ok()?;
        out.set_read_timeout(Some(PATIENCE)).unwrap();
        out.write_all(&framed(&question)).ok()?;
        let answer = frame(&mut out)?;
        for packet in (self.alter)(Way::Tcp, &question, answer) {
            stream.write_all(&framed(&packet)).ok()?;
        }
        Some(())
    }
}

fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut packet = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut packet).ok()?;
    Some(packet)
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
}
