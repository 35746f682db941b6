//! Forwarding over DoT and DoH to a server with a test CA; answers are validated here all the same.
#![allow(clippy::disallowed_macros)]
mod common;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use common::client::{addresses, ede, question};
use common::world::World;
use common::{recursive, tls, Running, PORTS};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType::{A, AAAA};
use std::net::SocketAddr;
use vitrine_attest::config::{ForwardProtocol, ForwardServer, Resolver, Upstream};

fn forwarding(servers: Vec<ForwardServer>, anchor: &str) -> Resolver {
    Resolver { upstream: Upstream::Forward { servers, trust_anchors: vec![anchor.to_owned()] }, ..Resolver::default() }
}

fn server(protocol: ForwardProtocol, address: SocketAddr, name: &str, trust: &[u8]) -> ForwardServer {
    ForwardServer { protocol, address, name: name.to_owned(), trust: Some(BASE64_STANDARD.encode(trust)) }
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
