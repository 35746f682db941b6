//! One WireGuard peer over one UDP socket.

use super::ClientKey;
use boringtun::noise::{Tunn, TunnResult};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};

/// Largest UDP payload we read or write: an outer packet of 65,535 bytes would not pass QEMU anyway.
const DATAGRAM: usize = 16 << 10;
/// boringtun wants its timers looked at about this often.
const TICK: Duration = Duration::from_millis(250);
/// How often the first handshake message is sent again. WireGuard's own REKEY_TIMEOUT is 5 s; a forwarded
/// port of a guest that is just coming up loses the first one.
const RETRY: Duration = Duration::from_secs(1);
/// Packets kept until somebody takes them.
const QUEUE_LIMIT: usize = 1024;

/// The client's end of a tunnel.
pub struct Tunnel {
    noise: Tunn,
    socket: UdpSocket,
    received: VecDeque<Vec<u8>>,
    next_tick: Instant,
    out: Vec<u8>,
}

impl Tunnel {
    /// A tunnel to the peer with this public key at this address. Nothing is sent yet.
    ///
    /// # Errors
    /// When no UDP socket can be opened.
    pub fn new(key: &ClientKey, peer: Key32, endpoint: SocketAddr) -> Result<Self> {
        let local: SocketAddr =
            if endpoint.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(local).map_err(|e| failed(&e))?;
        socket.connect(endpoint).map_err(|e| failed(&e))?;
        let noise = Tunn::new(key.0.clone(), peer.0.into(), None, None, 1, None);
        Ok(Self { noise, socket, received: VecDeque::new(), next_tick: Instant::now(), out: vec![0; DATAGRAM] })
    }

    /// Shakes hands; gives the time it took. An answer proves that the other side holds the private key of
    /// `peer` and has ours in its list.
    ///
    /// # Errors
    /// When the server does not answer: wrong key, unknown peer, or nobody there.
    pub fn handshake(&mut self, patience: Duration) -> Result<Duration> {
        let start = Instant::now();
        let mut next = start;
        while self.noise.time_since_last_handshake().is_none() {
            crate::interrupt::check()?;
            let now = Instant::now();
            if now >= start + patience {
                return Err(Error::host(
                    format!("no WireGuard handshake within {} s", patience.as_secs()),
                    "the server knows only peers that its owner added, and answers nobody else",
                ));
            }
            if now >= next {
                let message = self.noise.format_handshake_initiation(&mut self.out, true);
                Self::dispatch(message, &self.socket, &mut self.received)?;
                next = now + RETRY;
            }
            self.receive(TICK)?;
        }
        Ok(start.elapsed())
    }

    /// Sends one IP packet into the tunnel.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        if packet.len() + 64 > DATAGRAM {
            return Err(Error::bug(format!("a packet of {} bytes was to be sent", packet.len())));
        }
        let message = self.noise.encapsulate(packet, &mut self.out);
        Self::dispatch(message, &self.socket, &mut self.received).map(drop)
    }

    /// Waits for one datagram, at most `wait`, and looks after the timers.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive(&mut self, wait: Duration) -> Result<()> {
        let mut datagram = [0; DATAGRAM];
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).map_err(|e| failed(&e))?;
        match self.socket.recv(&mut datagram) {
            Ok(length) => self.digest(&datagram[..length])?,
            // Refused: nobody listens there yet (ICMP port unreachable).
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => std::thread::sleep(wait.min(TICK)),
            Err(e) => return Err(failed(&e)),
        }
        if Instant::now() >= self.next_tick {
            let message = self.noise.update_timers(&mut self.out);
            Self::dispatch(message, &self.socket, &mut self.received)?;
            self.next_tick = Instant::now() + TICK;
        }
        Ok(())
    }

    /// The next packet that came out of the tunnel.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.received.pop_front()
    }

    fn digest(&mut self, datagram: &[u8]) -> Result<()> {
        let message = self.noise.decapsulate(None, datagram, &mut self.out);
        let mut more = Self::dispatch(message, &self.socket, &mut self.received)?;
        // boringtun: after a message to the network, ask with an empty datagram until it is done.
        while more {
            let message = self.noise.decapsulate(None, &[], &mut self.out);
            more = Self::dispatch(message, &self.socket, &mut self.received)?;
        }
        Ok(())
    }

    /// Does what boringtun says; true when it wants to be asked again.
    fn dispatch(message: TunnResult<'_>, socket: &UdpSocket, received: &mut VecDeque<Vec<u8>>) -> Result<bool> {
        match message {
            TunnResult::WriteToNetwork(bytes) => match socket.send(bytes) {
                Ok(_) => Ok(true),
                Err(e) if e.kind() == ErrorKind::ConnectionRefused => Ok(true),
                Err(e) => Err(failed(&e)),
            },
            TunnResult::WriteToTunnelV4(packet, _) | TunnResult::WriteToTunnelV6(packet, _) => {
                if received.len() < QUEUE_LIMIT {
                    received.push_back(packet.to_vec());
                }
                Ok(false)
            }
            // Foreign or repeated datagrams are dropped, as the protocol asks.
            TunnResult::Done | TunnResult::Err(_) => Ok(false),
        }
    }
}

fn failed(e: &std::io::Error) -> Error {
    Error::host(format!("UDP socket of the tunnel: {e}"), "")
}
