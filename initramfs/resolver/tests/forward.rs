//! Forwarding over DoT and DoH to a server with a test CA, and over DNSCrypt to dnsdist; answers are validated here all
//! the same.
#![allow(clippy::disallowed_macros)]
mod common;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use common::client::{addresses, ede, question, receive, send};
use common::dnsdist::{Dnsdist, Wanted, GOOD};
use common::wire::{Alter, Way, Wire};
use common::world::World;
use common::{recursive, tls, Running, PORTS};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType::{A, AAAA, TXT};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use vitrine_attest::config::{ForwardProtocol, ForwardServer, Resolver, Upstream};

fn forwarding(servers: Vec<ForwardServer>, anchor: &str) -> Resolver {
    Resolver { upstream: Upstream::Forward { servers, trust_anchors: vec![anchor.to_owned()] }, ..Resolver::default() }
}

fn server(protocol: ForwardProtocol, address: SocketAddr, name: &str, trust: &[u8]) -> ForwardServer {
    ForwardServer { protocol, address, name: name.to_owned(), trust: Some(BASE64_STANDARD.encode(trust)), key: None }
}

fn check(resolver: &Running) {
    for _ in 0..2 {
        let answer = resolver.ask("www.example.org.", A);
        assert_eq!(addresses(&answer), ["192.0.2.1"], "{:?}", ede(&answer));
        assert!(answer.metadata.authentic_data);
    }
    for (name, kind, wanted, authentic) in [
        ("www.plain.org.", A, vec!["192.0.2.7"], false),
        ("alias.example.org.", A, vec!["192.0.2.1"], true),
        ("alias4.example.org.", AAAA, vec![], true),
        ("zzz.wild.example.org.", A, vec!["192.0.2.5"], true),
    ] {
        let answer = resolver.ask(name, kind);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{name} {kind} {:?}", ede(&answer));
        assert_eq!(addresses(&answer), wanted, "{name}");
        assert_eq!(answer.metadata.authentic_data, authentic, "{name}");
    }
    let answer = resolver.ask("nothing.example.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain, "{:?}", ede(&answer));
    assert!(answer.metadata.authentic_data);
    let answer = resolver.ask("www.tampered.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    let mut unchecked = question("www.tampered.org.", A);
    unchecked.metadata.checking_disabled = true;
    assert_eq!(addresses(&resolver.udp(&unchecked)), ["192.0.2.66"]);
}

#[test]
fn dot_with_a_ca() {
    let world = World::start();
    let inner = Running::start(world.host(53), recursive(&world));
    let (ca, config) = tls::ca("dns.example");
    let relay = SocketAddr::new(world.host(54).into(), 8530);
    tls::relay(relay, SocketAddr::new(inner.address.into(), PORTS.plain), config);
    let servers = vec![server(ForwardProtocol::Dot, relay, "dns.example", &ca)];
    check(&Running::start(world.host(55), forwarding(servers, &world.anchor)));
    // the same server under another name, or vouched for by somebody else, is not spoken to
    for (number, name, trust) in [(56, "other.example", ca), (57, "dns.example", tls::ca("dns.example").0)] {
        let servers = vec![server(ForwardProtocol::Dot, relay, name, &trust)];
        let stranger = Running::start(world.host(number), forwarding(servers, &world.anchor));
        let answer = stranger.ask("www.example.org.", A);
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    }
}

#[test]
fn doh() {
    let world = World::start();
    let inner = Running::start(world.host(53), recursive(&world));
    // its own certificate is the anchor, and its address the name
    let trust = tls::certificate(inner.doh(), b"h2");
    let servers = vec![server(ForwardProtocol::Doh, inner.doh(), &inner.address.to_string(), &trust)];
    check(&Running::start(world.host(55), forwarding(servers, &world.anchor)));
}

#[test]
fn a_dead_forwarder_is_passed_over() {
    let world = World::start();
    let inner = Running::start(world.host(53), recursive(&world));
    let trust = tls::certificate(inner.dot(), b"dot");
    let name = inner.address.to_string();
    let dead = SocketAddr::new(world.host(99).into(), 853);
    let servers = vec![
        server(ForwardProtocol::Dot, dead, &name, &trust),
        server(ForwardProtocol::Dot, inner.dot(), &name, &trust),
    ];
    let resolver = Running::start(world.host(55), forwarding(servers, &world.anchor));
    let answer = resolver.ask("www.example.org.", A);
    assert_eq!(addresses(&answer), ["192.0.2.1"], "{:?}", ede(&answer));
}

/// A world, its recursive resolver, and dnsdist in front of it.
struct Crypt {
    world: World,
    _inner: Running,
    dnsdist: Dnsdist,
}

impl Crypt {
    fn start(certificates: &[Wanted]) -> Option<Self> {
        let world = World::start();
        let inner = Running::start(world.host(53), recursive(&world));
        let plain = SocketAddr::new(inner.address.into(), PORTS.plain);
        let dnsdist = Dnsdist::start(SocketAddr::new(world.host(54).into(), 8443), plain, certificates)?;
        Some(Self { world, _inner: inner, dnsdist })
    }

    fn resolver(&self, number: u8, servers: Vec<ForwardServer>) -> Running {
        Running::start(self.world.host(number), forwarding(servers, &self.world.anchor))
    }

    /// A resolver that asks over a wire which does as told.
    fn over_wire(
        &self,
        alter: impl Fn(Way, &[u8], Vec<u8>) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> (Wire, Running) {
        let address = SocketAddr::new(self.world.host(56).into(), 8443);
        let alter: Alter = Arc::new(alter);
        let wire = Wire::start(address, self.dnsdist.address, alter);
        (wire, self.resolver(57, vec![self.dnsdist.server(address)]))
    }
}

fn refuses(resolver: &Running) {
    let answer = resolver.ask("www.example.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    assert!(answer.answers.is_empty());
}

fn is_sealed(packet: &[u8]) -> bool {
    packet.starts_with(b"r6fnvWj8")
}

/// Both systems; an expired certificate, a future one and an older one beside the good one.
#[test]
fn dnscrypt() {
    for system in [1, 2] {
        let certificates = [(system, 9, -60, -1), (system, 8, 600, 900), (system, 3, -60, 3600), (1, 2, -60, 3600)];
        let Some(crypt) = Crypt::start(&certificates) else { return };
        check(&crypt.resolver(55, vec![crypt.dnsdist.server(crypt.dnsdist.address)]));
    }
}

#[test]
fn dnscrypt_without_a_valid_certificate() {
    for wanted in [(1, 1, -60, -1), (2, 1, 600, 900)] {
        let Some(crypt) = Crypt::start(&[wanted]) else { return };
        refuses(&crypt.resolver(55, vec![crypt.dnsdist.server(crypt.dnsdist.address)]));
    }
}

/// Another key than the one that signs, and another name than the one that is served.
#[test]
fn dnscrypt_of_another_provider() {
    let Some(crypt) = Crypt::start(GOOD) else { return };
    let own = crypt.dnsdist.server(crypt.dnsdist.address);
    let key = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8".parse().unwrap();
    refuses(&crypt.resolver(55, vec![ForwardServer { key: Some(key), ..own.clone() }]));
    refuses(&crypt.resolver(56, vec![ForwardServer { name: "2.dnscrypt-cert.other".to_owned(), ..own.clone() }]));
    // the twin
    check(&crypt.resolver(57, vec![own]));
}

/// What is seen on the wire: lengths in steps, and no two questions with the same key or the same nonce.
#[test]
fn dnscrypt_shows_no_lengths_and_no_key_twice() {
    let Some(crypt) = Crypt::start(GOOD) else { return };
    let (wire, resolver) = crypt.over_wire(|_, _, packet| vec![packet]);
    check(&resolver);
    let sent = wire.sent();
    let magic = &sent.last().unwrap().1[..8];
    let (questions, others): (Vec<_>, Vec<_>) = sent.iter().partition(|(_, packet)| packet.starts_with(magic));
    assert_eq!(others.len(), 1, "one question for certificates, the rest is sealed");
    assert!(questions.len() > 10);
    for (way, packet) in &questions {
        assert_eq!((packet.len() - 68) % 64, 0, "{}", packet.len());
        assert!(*way == Way::Tcp || (512 + 68..=1220).contains(&packet.len()), "{}", packet.len());
    }
    for part in [8..40, 40..52] {
        let mut seen: Vec<&[u8]> = questions.iter().map(|(_, packet)| &packet[part.clone()]).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), questions.len(), "bytes {part:?} came twice");
    }
}

/// A long answer is cut over UDP and whole over TCP, and the next questions over UDP are longer.
#[test]
fn dnscrypt_over_tcp() {
    let Some(crypt) = Crypt::start(GOOD) else { return };
    let (wire, resolver) = crypt.over_wire(|_, _, packet| vec![packet]);
    let mut stream = resolver.tcp();
    for name in ["big.example.org.", "www.example.org."] {
        send(&mut stream, &question(name, TXT));
        let (answer, _) = receive(&mut stream);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{:?}", ede(&answer));
        let texts = answer.answers.iter().filter(|record| record.record_type() == TXT).count();
        assert_eq!((texts, answer.metadata.authentic_data), (if name.starts_with("big") { 8 } else { 0 }, true));
    }
    let sent = wire.sent();
    assert!(sent.iter().any(|(way, packet)| *way == Way::Tcp && packet.len() >= 132));
    let lengths: Vec<usize> = sent.iter().filter(|(way, _)| *way == Way::Udp).map(|(_, packet)| packet.len()).collect();
    assert!(lengths.contains(&580) && lengths.contains(&644), "{lengths:?}");
}

/// Where UDP is blocked, TCP is enough: the certificate comes over it, and so do the answers. dnsdist 1.7 answers
/// questions for certificates over TCP with nothing, so this one is its answer over UDP.
#[test]
fn dnscrypt_where_udp_is_blocked() {
    let Some(crypt) = Crypt::start(GOOD) else { return };
    let certificate = Mutex::new(Vec::new());
    let (wire, resolver) = crypt.over_wire(move |way, question, packet| {
        let mut certificate = certificate.lock().unwrap();
        match way {
            Way::Udp if !is_sealed(&packet) => *certificate = packet,
            Way::Udp => {}
            Way::Tcp if is_sealed(&packet) => return vec![packet],
            Way::Tcp => return vec![[&question[..2], &certificate[2..]].concat()],
        }
        vec![]
    });
    // the first question may run into its time: 0.7 s for the certificate, and for itself
    resolver.ask("v4.example.org.", A);
    check(&resolver);
    let udp = wire.sent().iter().filter(|(way, _)| *way == Way::Udp).count();
    assert!((2..6).contains(&udp), "{udp} packets");
}

/// Forged packets before the right one: copies with a bit changed, an answer to another question, a question.
#[test]
fn dnscrypt_passes_over_forged_packets() {
    let Some(crypt) = Crypt::start(GOOD) else { return };
    let last = Mutex::new(vec![0; 200]);
    let (_, resolver) = crypt.over_wire(move |way, _, packet| {
        let mut packets = vec![std::mem::replace(&mut *last.lock().unwrap(), packet.clone()), vec![], vec![0xff; 1500]];
        for at in [0, 9, 25, 33, 50, packet.len() - 1] {
            let mut forged = packet.clone();
            forged[at] ^= 0x10;
            packets.push(forged);
        }
        // over TCP only the first one is read
        if way == Way::Tcp {
            packets.clear();
        }
        packets.push(packet);
        packets
    });
    check(&resolver);
}

/// One bit of every sealed answer, or of every certificate, is changed: nothing is answered.
#[test]
fn dnscrypt_refuses_altered_answers() {
    let Some(crypt) = Crypt::start(GOOD) else { return };
    for (number, sealed) in [(58, true), (60, false)] {
        let count = Arc::new(Mutex::new(0));
        let counter = count.clone();
        let address = SocketAddr::new(crypt.world.host(number).into(), 8443);
        let alter = move |_: Way, _: &[u8], mut packet: Vec<u8>| {
            if is_sealed(&packet) == sealed {
                *counter.lock().unwrap() += 1;
                let at = packet.len() - 20;
                packet[at] ^= 1;
            }
            vec![packet]
        };
        let wire = Wire::start(address, crypt.dnsdist.address, Arc::new(alter));
        refuses(&crypt.resolver(number + 1, vec![crypt.dnsdist.server(address)]));
        assert!(*count.lock().unwrap() > 0, "nothing was changed");
        assert!(wire.sent().iter().any(|(_, packet)| packet.len() > 500) == sealed);
    }
}
