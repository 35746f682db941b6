//! A small world on loopback: authorities with signed zones, hostile ones, and the resolver in front of them.
#![allow(dead_code, clippy::disallowed_macros, clippy::disallowed_methods)] // each test file uses its part; a test may print

pub mod authority;
pub mod client;
pub mod dnsdist;
pub mod hostile;
pub mod nsd;
pub mod tls;
pub mod wire;
pub mod world;
pub mod zone;

use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU8, Ordering};
use vitrine_attest::config::{Resolver, Upstream};
use vitrine_attest::inside::{ResolverStart, TlsKey};
use vitrine_resolver::run::{run, End, Place};
use vitrine_resolver::server::Ports;
use vitrine_resolver::stop::Step;

/// Ports that need no privilege; every world has addresses of its own.
pub const PORTS: Ports = Ports { plain: 5301, dot: 8531, doh: 4431 };
pub const AUTHORITIES: u16 = 5300;

/// 127.a.b.0: by process and by call, so that tests side by side do not meet.
pub fn network() -> [u8; 3] {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let id = std::process::id();
    [127, (id % 250 + 2) as u8, ((id / 250 % 8) as u8) << 5 | NEXT.fetch_add(1, Ordering::Relaxed)]
}

pub fn host(network: [u8; 3], number: u8) -> Ipv4Addr {
    Ipv4Addr::new(network[0], network[1], network[2], number)
}

/// An ECDSA P-256 key as init makes it.
pub fn tls_key() -> TlsKey {
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    TlsKey(ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap().as_ref().to_vec())
}

/// A resolver in a thread of its own; it ends when init's end of the socket is dropped.
pub struct Running {
    pub address: Ipv4Addr,
    pub init: Option<UnixStream>,
    thread: Option<std::thread::JoinHandle<Step<End>>>,
}

impl Running {
    pub fn start(address: Ipv4Addr, resolver: Resolver) -> Self {
        Self::with_blocklist(address, resolver, None)
    }

    pub fn with_blocklist(address: Ipv4Addr, resolver: Resolver, blocklist: Option<std::fs::File>) -> Self {
        let (init, ours) = UnixStream::pair().unwrap();
        let start = ResolverStart { resolver, addresses: vec![address.into()], tls_key: tls_key() };
        let place = Place { ports: PORTS, authorities: AUTHORITIES };
        let (ready, wait) = std::sync::mpsc::channel();
        let sealed = move |_: &ResolverStart| {
            ready.send(()).unwrap();
            Ok(())
        };
        let thread = std::thread::spawn(move || run(ours, start, || blocklist, place, sealed));
        // a resolver that refuses to start drops the sender: then `end` tells
        let _ = wait.recv();
        Self { address, init: Some(init), thread: Some(thread) }
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Step<End> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.init.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

/// A recursive configuration in this world.
pub fn recursive(world: &world::World) -> Resolver {
    let roots = vec![world.host(1).into()];
    Resolver {
        upstream: Upstream::Recursive { roots, trust_anchors: vec![world.anchor.clone()] },
        ..Resolver::default()
    }
}
