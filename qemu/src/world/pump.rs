//! Carries packets between a TUN interface and a WireGuard server: a client's kernel module, in user space.

use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{channel, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};

/// boringtun wants its timers looked at about this often.
const TICK: Duration = Duration::from_millis(100);
/// Larger than any packet here.
const PACKET: usize = 4096;
/// Packets taken from one side before it looks at the other.
const BATCH: usize = 64;

/// The other end of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    pub key: Key32,
    pub endpoint: SocketAddr,
}

/// What a running pump is told.
enum Order {
    /// From now on with this server.
    Switch(Server),
    /// Nothing is done until the next order.
    Rest,
    Wake,
}

/// A running pump. Stops when dropped.
pub struct Pump {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// `socket` lies in the outside, bound to the client's outer address.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking.
    pub fn start(secret: [u8; 32], server: Server, packets: File, socket: UdpSocket) -> Result<Self> {
        socket.set_nonblocking(true).map_err(|e| Error::host(format!("a client's socket: {e}"), ""))?;
        let (orders, inbox) = channel();
        let thread = std::thread::spawn(move || Flow::new(secret, server, packets, socket).run(&inbox));
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// From now on with this server: what `wg set` does when a user takes a new configuration.
    pub fn switch(&self, server: Server) {
        self.tell(Order::Switch(server));
    }

    /// As a machine that is suspended: no packet, no timer.
    pub fn rest(&self) {
        self.tell(Order::Rest);
    }

    /// As it comes back: its side of the tunnel is what it was, and what was sent to it meanwhile is lost. Kept, the
    /// server's own attempts to begin a session would be answered minutes later, for sessions that nobody knows.
    pub fn wake(&self) {
        self.tell(Order::Wake);
    }

    /// A pump ends only when it is dropped, so there is somebody to hear it.
    fn tell(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Flow {
    secret: StaticSecret,
    noise: Tunn,
    packets: File,
    socket: UdpSocket,
    server: SocketAddr,
    out: Vec<u8>,
}

impl Flow {
    fn new(secret: [u8; 32], server: Server, packets: File, socket: UdpSocket) -> Self {
        let secret = StaticSecret::from(secret);
        let noise = noise(&secret, &server);
        Self { secret, noise, packets, socket, server: server.endpoint, out: vec![0; PACKET] }
    }

    fn run(mut self, inbox: &Receiver<Order>) {
        let mut next_tick = Instant::now();
        loop {
            let mut order = inbox.try_recv();
            while matches!(order, Ok(Order::Rest)) {
                order = inbox.recv().map_err(|_| TryRecvError::Disconnected);
            }
            match order {
                Ok(Order::Switch(server)) => {
                    (self.noise, self.server) = (noise(&self.secret, &server), server.endpoint)
                }
                Ok(Order::Wake) => self.lose_all(),
                Ok(Order::Rest) | Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            if Instant::now() >= next_tick {
                let message = self.noise.update_timers(&mut self.out);
                dispatch(message, &self.socket, self.server, &mut self.packets);
                next_tick = Instant::now() + TICK;
            }
            self.wait();
            (0..BATCH).take_while(|_| self.send_one()).count();
            (0..BATCH).take_while(|_| self.receive_one()).count();
        }
    }

    fn lose_all(&mut self) {
        let mut packet = [0; PACKET];
        while self.socket.recv_from(&mut packet).is_ok() || self.packets.read(&mut packet).is_ok() {}
    }

    fn wait(&self) {
        let patience = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
        let mut sides = [PollFd::new(&self.packets, PollFlags::IN), PollFd::new(&self.socket, PollFlags::IN)];
        let _ = poll(&mut sides, Some(&patience));
    }

    /// One packet of the user's; false when there is none.
    fn send_one(&mut self) -> bool {
        let mut packet = [0; PACKET];
        let Ok(length) = self.packets.read(&mut packet) else { return false };
        let message = self.noise.encapsulate(&packet[..length], &mut self.out);
        dispatch(message, &self.socket, self.server, &mut self.packets);
        true
    }

    /// One datagram of the server's; false when there is none.
    fn receive_one(&mut self) -> bool {
        let mut datagram = [0; PACKET];
        let Ok((length, from)) = self.socket.recv_from(&mut datagram) else { return false };
        let mut input = &datagram[..length];
        // boringtun: after a message to the network, ask with an empty datagram until it is done.
        loop {
            let message = self.noise.decapsulate(Some(from.ip()), input, &mut self.out);
            if !dispatch(message, &self.socket, self.server, &mut self.packets) {
                return true;
            }
            input = &[];
        }
    }
}

fn noise(secret: &StaticSecret, server: &Server) -> Tunn {
    Tunn::new(secret.clone(), PublicKey::from(server.key.0), None, None, 1, None)
}

/// Does what boringtun says; true when it wants to be asked again. What cannot be sent is lost, as on any network.
fn dispatch(message: TunnResult<'_>, socket: &UdpSocket, server: SocketAddr, packets: &mut File) -> bool {
    match message {
        TunnResult::WriteToNetwork(bytes) => {
            let _ = socket.send_to(bytes, server);
            true
        }
        TunnResult::WriteToTunnelV4(packet, _) | TunnResult::WriteToTunnelV6(packet, _) => {
            let _ = packets.write(packet);
            false
        }
        TunnResult::Done | TunnResult::Err(_) => false,
    }
}
