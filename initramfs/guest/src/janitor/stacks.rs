//! Stacks of the kernel's own threads and of interrupts. Calls that have returned leave there what they worked with, until
//! others go as deep: WireGuard's workers the addresses of the outer packet and, of a handshake, the client's key and the
//! time it sent (`s` and `t` of wg_noise_handshake_consume_initiation in drivers/net/wireguard/noise.c); the network's
//! interrupts and `ksoftirqd` the addresses of the packet that they passed on. Such threads live as long as the machine,
//! and nothing else of this server goes as deep as a client's packet does. So PID 1 is its own client for a moment, with
//! keys that were made for it, and sends packets whose time is over at the next hop. Each function on their way clears its
//! part of the stack (CONFIG_INIT_STACK_ALL_ZERO).
//!
//! Handshakes that the server begins itself (a client is silent after it was sent something) run in workers that are bound to
//! no processor. The kernel takes the one that was the last to rest, so others may sleep for minutes over what they did last:
//! all of them have to work at once, see [`Pair::crowd`].

use super::processors::on_each;
use crate::conntrack::Conntrack;
use crate::keys::KeyPair;
use crate::net::rtnl::{Routing, Use};
use crate::net::wireguard::WireGuard;
use crate::stop::{OrStop as _, Step};
use rustix::thread::sched_getaffinity;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;

/// The packet filter lets PID 1 send into this one (`Interface::Own` in initramfs/firewall).
const ASKS: &str = "self0";
const ANSWERS: &str = "self1";
const MTU: u16 = 1420;
/// Addresses of nobody, in networks of four: unique local with a random identifier (RFC 4193), and link-local (RFC 3927).
const HERE: [IpAddr; 2] =
    [IpAddr::V6(Ipv6Addr::new(0xfd9d, 0x3a6e, 0x71c4, 0, 0, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(169, 254, 255, 1))];
const THERE: [IpAddr; 2] =
    [IpAddr::V6(Ipv6Addr::new(0xfd9d, 0x3a6e, 0x71c4, 0, 0, 0, 0, 2)), IpAddr::V4(Ipv4Addr::new(169, 254, 255, 2))];
const FOUR: u8 = 2;
/// Where the outer packets go. The functions on their way have other places on the stack for each family, so they take turns.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
/// Processors that are cleaned in one go: each takes PID 1 as long as [`APART`].
const MOST: usize = 8;
/// WireGuard takes no two handshakes of a peer within a fiftieth of a second (INITIATIONS_PER_SECOND).
const APART: Duration = Duration::from_millis(25);
/// Handshakes that are begun at once: more than the kernel has workers for them. It makes them when work waits, and ends those
/// that rested for five minutes (IDLE_WORKER_TIMEOUT); four were seen.
const CROWD: u8 = 16;
/// For one handshake, or one burst, or one crowd.
const PATIENCE: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(2);
/// Bytes of a handshake's first message (WireGuard §5.4.2).
const INITIATION: u64 = 148;
/// What we send in each packet, and how many bytes WireGuard counts for it at least (§5.4.6).
const PAYLOAD: [u8; 64] = [0; 64];
const PACKET: u64 = 64 + 32;
/// Packets of each family, for each processor, that are sent one by one: interrupts take them …
const SINGLE: usize = 2;
/// … and at once: so many that `ksoftirqd` has to help, and several workers at a time.
const BURST: usize = 32;

/// What was done of what [`overwrite`] does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// One for each processor.
    pub handshakes: usize,
    /// [`CROWD`] for each processor.
    pub begun: usize,
}

/// To be called with another number each time. What could not be done now is done the next time.
pub fn overwrite(turn: usize, conntrack: &Conntrack) -> Done {
    let mut done = Done::default();
    let processors = sched_getaffinity(None).map_or(1, |ours| ours.count() as usize).min(MOST);
    let Ok(pair) = Pair::new() else { return done };
    let mut way = LOOPBACK.into_iter().cycle().skip(turn % LOOPBACK.len());
    // Processors that share a cache share such workers, others have their own (workqueue.default_affinity_scope)
    on_each(MOST, || done.begun += way.next().and_then(|by| pair.crowd(by).ok()).unwrap_or(0));
    if pair.take_own_key().is_ok() {
        done.handshakes = way.by_ref().take(processors).filter(|by| pair.shake_hands(*by).is_ok()).count();
        let _ = pair.send(processors * BURST);
        for _ in 0..processors * SINGLE {
            let _ = pair.send(1);
        }
    }
    for by in LOOPBACK {
        let [source, destination] = pair.ports.map(|port| SocketAddr::new(by, port));
        let _ = conntrack.end(source, destination);
    }
    done
}

/// Two interfaces that know each other, until dropped.
struct Pair {
    routing: Routing,
    wireguard: WireGuard,
    asks: KeyPair,
    answers: KeyPair,
    /// Of the two interfaces, on the loopback interface.
    ports: [u16; 2],
}

impl Pair {
    fn new() -> Step<Self> {
        let (routing, wireguard) = (Routing::open()?, WireGuard::open()?);
        let pair =
            Self { routing, wireguard, asks: KeyPair::generate()?, answers: KeyPair::generate()?, ports: free()? };
        pair.remove();
        pair.up(ASKS, &pair.asks, pair.ports[0])?;
        pair.up(ANSWERS, &pair.answers, pair.ports[1])?;
        pair.wireguard.add(ANSWERS, [(&pair.asks.public, &HERE.map(Cidr::host)[..])])?;
        let asks = pair.routing.index_of(ASKS)?;
        for address in HERE {
            // The kernel makes the route to the others of the network
            let prefix = Cidr::host(address).prefix - FOUR;
            pair.routing.add_address(asks, Cidr { address, prefix }, Use::Everywhere)?;
        }
        Ok(pair)
    }

    fn up(&self, name: &str, key: &KeyPair, port: u16) -> Step {
        let index = self.routing.create_wireguard(name, MTU)?;
        self.wireguard.configure(name, key, port)?;
        self.routing.up(index)
    }

    /// Begins handshakes with a crowd of nobody, each in a worker of its own: while the interface takes another key (the kernel
    /// computes something for each peer then), all workers that would begin one have to wait for it (`static_identity.lock` in
    /// wg_noise_handshake_create_initiation), and for each that waits the kernel wakes the next. The other end knows none of
    /// these messages as its own, and drops them. Says how many were sent.
    fn crowd(&self, by: IpAddr) -> Step<usize> {
        let peers: Vec<Key32> = (1..=CROWD).map(|number| Key32([number; 32])).collect();
        let next = KeyPair::generate()?;
        self.wireguard.replace(ASKS, &peers, SocketAddr::new(by, self.ports[1]))?;
        self.wireguard.begin(ASKS, &peers)?;
        self.wireguard.set_key(ASKS, &next)?;
        let begun = Instant::now();
        loop {
            let states = self.wireguard.states(ASKS, peers.len())?;
            let sent = states.iter().filter(|state| state.sent >= INITIATION).count();
            if sent == peers.len() || begun.elapsed() >= PATIENCE {
                return Ok(sent);
            }
            std::thread::sleep(POLL);
        }
    }

    /// After a crowd: no peers, and the key that the other end knows.
    fn take_own_key(&self) -> Step {
        self.wireguard.configure(ASKS, &self.asks, self.ports[0])
    }

    /// The kernel gives each handshake to the next processor (wg_cpumask_next_online), beginning with the first.
    fn shake_hands(&self, by: IpAddr) -> Step {
        let (begun, before) = (Instant::now(), self.received()?);
        let to = SocketAddr::new(by, self.ports[1]);
        self.wireguard.speak(ASKS, &self.answers.public, to, &THERE.map(Cidr::host))?;
        self.wait(before + INITIATION)?;
        std::thread::sleep(APART.saturating_sub(begun.elapsed()));
        Ok(())
    }

    /// So many packets of each family, which may go no further than the other end: the kernel would forward them, and says
    /// that their time is over.
    fn send(&self, packets: usize) -> Step {
        let goal = self.received()? + PACKET * (packets * HERE.len()) as u64;
        for (here, there) in HERE.into_iter().zip(THERE) {
            let socket = UdpSocket::bind((here, 0)).or_stop("self")?;
            match here {
                IpAddr::V4(_) => socket.set_ttl(1),
                IpAddr::V6(_) => socket2::SockRef::from(&socket).set_unicast_hops_v6(1),
            }
            .or_stop("self")?;
            for _ in 0..packets {
                // An error is the answer to a former one
                let _ = socket.send_to(&PAYLOAD, (there, 9));
            }
        }
        self.wait(goal)
    }

    /// Until the other end has received so many bytes.
    fn wait(&self, goal: u64) -> Step {
        let begun = Instant::now();
        while self.received()? < goal {
            (begun.elapsed() < PATIENCE).then_some(()).or_stop("self")?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Bytes of authenticated packets.
    fn received(&self) -> Step<u64> {
        self.wireguard.states(ANSWERS, 1)?.first().map(|state| state.received).or_stop("self")
    }

    fn remove(&self) {
        for index in [ASKS, ANSWERS].into_iter().filter_map(|name| self.routing.index_of(name).ok()) {
            let _ = self.routing.delete(index);
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Two ports that nobody has. Between here and there nobody of ours asks for another.
fn free() -> Step<[u16; 2]> {
    let any = || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).or_stop("self");
    let port = |socket: &UdpSocket| socket.local_addr().map(|here| here.port()).or_stop("self");
    let (one, other) = (any()?, any()?);
    Ok([port(&one)?, port(&other)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::janitor::connections::tests::conntrack;

    /// The kernel as judge: each processor has had its handshake, and nothing of it is left, twice.
    #[test]
    fn one_for_each_processor() {
        let Some(_space) = crate::tunnels::tests::space() else { return };
        let conntrack = conntrack();
        let processors = sched_getaffinity(None).unwrap().count() as usize;
        let processors = processors.min(MOST);
        for turn in 0..2 {
            let all = Done { handshakes: processors, begun: processors * usize::from(CROWD) };
            assert_eq!(overwrite(turn, &conntrack), all);
            let routing = Routing::open().unwrap();
            assert!(routing.index_of(ASKS).is_err() && routing.index_of(ANSWERS).is_err());
        }
    }

    #[test]
    fn free_ports_are_two() {
        let [one, other] = free().unwrap();
        assert!(one != 0 && other != 0 && one != other);
    }
}
