//! What gives a guest its addresses on most networks: a DHCP server (RFC 2131) that grants for a minute at a time, refuses,
//! or says nothing; and a router that advertises the IPv6 prefix (RFC 4861 §4.2).

use super::{run, GUEST, TAP};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

const ROUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// The shortest lease that the guest believes; it asks again after half of it.
const LEASE: u32 = 60;
/// Options begin behind these bytes; the first of the guest's is its message's type.
const FIXED: usize = 240;

/// Between two advertisements: a machine that has just come waits no longer.
const ADVERTISE: Duration = Duration::from_secs(2);
/// All nodes of the link (RFC 4291 §2.7.1); an advertisement that crossed a router is none.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const HOPS: u32 = 255;
/// Type 134, hop limit 64, router for 1800 s; then the prefix 2001:db8:113::/64, for everybody on the link, to make
/// addresses of, valid for a day and preferred for four hours (§4.6.2). The kernel writes the checksum.
#[rustfmt::skip]
const ADVERTISEMENT: [u8; 48] = [
    134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
    3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0,
    0x20, 0x01, 0x0d, 0xb8, 0x01, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// What the DHCP server does with whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Grant,
    Refuse,
    Silent,
}

#[derive(Default)]
struct Counts {
    searched: AtomicUsize,
    renewed: AtomicUsize,
}

/// Stops when dropped.
pub struct Leases {
    manner: Arc<Mutex<Manner>>,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Leases {
    /// To be called in the outside.
    ///
    /// # Errors
    /// When a socket cannot be had.
    pub fn start() -> Result<Self> {
        let failed = |e: std::io::Error| Error::host(format!("a DHCP server and router: {e}"), "run it as root");
        // Where an answer to all goes that comes from no particular address of ours
        run("ip", &["route", "add", "255.255.255.255", "dev", TAP]).succeeded("a route for answers to all")?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT)).map_err(failed)?;
        socket.set_broadcast(true).map_err(failed)?;
        socket.set_read_timeout(Some(Duration::from_millis(100))).map_err(failed)?;
        let (router, all_nodes) = router().map_err(failed)?;
        let (manner, counts) = (Arc::new(Mutex::new(Manner::Grant)), Arc::new(Counts::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (manner, counts, stop) = (manner.clone(), counts.clone(), stop.clone());
            move || {
                let (mut datagram, mut next) = ([0; 1500], Instant::now());
                while !stop.load(Ordering::Relaxed) {
                    if Instant::now() >= next {
                        // Nobody is on the link yet, or not any more
                        let _ = router.send_to(&ADVERTISEMENT, &all_nodes.into());
                        next = Instant::now() + ADVERTISE;
                    }
                    let Ok((length, _)) = socket.recv_from(&mut datagram) else { continue };
                    let manner = manner.lock().map_or(Manner::Silent, |manner| *manner);
                    if let Some((to, answer)) = answer(&datagram[..length], manner, &counts) {
                        let _ = socket.send_to(&answer, to);
                    }
                }
            }
        });
        Ok(Self { manner, counts, stop, thread: Some(thread) })
    }

    pub fn set(&self, manner: Manner) {
        if let Ok(mut now) = self.manner.lock() {
            *now = manner;
        }
    }

    /// Times that the guest had no lease and asked whether there is one.
    pub fn searched(&self) -> usize {
        self.counts.searched.load(Ordering::Relaxed)
    }

    /// Leases that were made longer.
    pub fn renewed(&self) -> usize {
        self.counts.renewed.load(Ordering::Relaxed)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A socket for advertisements, and where they go.
fn router() -> std::io::Result<(Socket, SocketAddrV6)> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    let index = rustix::net::netdevice::name_to_index(&socket, TAP)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_multicast_if_v6(index)?;
    Ok((socket, SocketAddrV6::new(ALL_NODES, 0, 0, index)))
}

/// To whom, and what. None: nobody asked, or there is no answer.
fn answer(question: &[u8], manner: Manner, counts: &Counts) -> Option<(SocketAddr, Vec<u8>)> {
    const DISCOVER: u8 = 1;
    const REQUEST: u8 = 3;
    let [53, 1, kind] = *question.get(FIXED..FIXED + 3)? else { return None };
    // A guest that has an address says so (ciaddr), and is answered there
    let current = Ipv4Addr::from(<[u8; 4]>::try_from(&question[12..16]).ok()?);
    let kind = match (kind, manner) {
        (DISCOVER, _) => {
            counts.searched.fetch_add(1, Ordering::Relaxed);
            (manner != Manner::Silent).then_some(2)?
        }
        (REQUEST, Manner::Grant) => {
            counts.renewed.fetch_add(usize::from(!current.is_unspecified()), Ordering::Relaxed);
            5
        }
        (REQUEST, Manner::Refuse) => 6,
        _ => return None,
    };
    let mut answer = question[..FIXED].to_vec();
    answer[0] = 2;
    answer[16..20].copy_from_slice(&GUEST.octets());
    let mut option = |code: u8, value: &[u8]| {
        answer.extend([code, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
        answer.extend(value);
    };
    option(53, &[kind]);
    option(54, &ROUTER.octets());
    option(51, &LEASE.to_be_bytes());
    option(1, &[255, 255, 255, 0]);
    option(3, &ROUTER.octets());
    answer.push(255);
    let to = if current.is_unspecified() { Ipv4Addr::BROADCAST } else { current };
    Some(((to, CLIENT_PORT).into(), answer))
}
