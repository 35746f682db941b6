//! A DHCP server (RFC 2131) that grants the guest its address for a minute at a time, refuses it, or says nothing.

use super::{run, GUEST};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const ROUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// The shortest lease that the guest believes; it asks again after half of it.
const LEASE: u32 = 60;
/// Options begin behind these bytes; the first of the guest's is its message's type.
const FIXED: usize = 240;

/// What the server does with whoever asks.
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
    pub fn start() -> Self {
        // Where an answer to all goes that comes from no particular address of ours
        run("ip", &["route", "add", "255.255.255.255", "dev", "tap0"]).expect_success();
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT)).unwrap();
        socket.set_broadcast(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (manner, counts) = (Arc::new(Mutex::new(Manner::Grant)), Arc::new(Counts::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (manner, counts, stop) = (manner.clone(), counts.clone(), stop.clone());
            move || {
                let mut datagram = [0; 1500];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, _)) = socket.recv_from(&mut datagram) else { continue };
                    let manner = *manner.lock().unwrap();
                    if let Some((to, answer)) = answer(&datagram[..length], manner, &counts) {
                        socket.send_to(&answer, to).unwrap();
                    }
                }
            }
        });
        Self { manner, counts, stop, thread: Some(thread) }
    }

    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
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
        answer.extend([code, value.len() as u8]);
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
