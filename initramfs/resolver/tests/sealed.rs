//! DNSCrypt behind the walls that it has in the image: the resolver runs as a process of its own, under the same
//! Landlock rules and system call filter, and still asks over UDP and over TCP.
#![allow(clippy::disallowed_macros)]
mod common;

use common::client::{question, receive, send};
use common::dnsdist::{Dnsdist, GOOD};
use common::world::World;
use common::{recursive, tls_key, Running, PORTS};
use hickory_proto::rr::RecordType::{A, TXT};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use vitrine_attest::config::{Resolver, Transport, Upstream};
use vitrine_attest::inside::ResolverStart;
use vitrine_resolver::run::{run, Place};
use vitrine_resolver::upstream::Upstream as Asking;
use vitrine_sandbox::{seal, Profile, Tcp};

const START: &str = "VITRINE_TEST_START";

/// Not a test when run alone: the other one runs it, with a start line.
#[test]
fn child() {
    let Some(line) = std::env::var_os(START) else { return };
    let start: ResolverStart = serde_json::from_str(line.to_str().unwrap()).unwrap();
    let (_init, ours) = UnixStream::pair().unwrap();
    let place = Place { ports: PORTS, authorities: 53 };
    let walls = |start: &ResolverStart| {
        let tcp = Tcp { bind: &[PORTS.plain], connect: &Asking::ports(&start.resolver) };
        seal(Profile::Resolver, tcp).unwrap();
        // the walls stand
        assert!(std::fs::File::open("/etc/hostname").is_err());
        Ok(())
    };
    run(ours, start, || None, place, walls).unwrap();
}

#[test]
fn a_sealed_resolver_asks_over_dnscrypt() {
    let world = World::start();
    let inner = Running::start(world.host(53), recursive(&world));
    let plain = SocketAddr::new(inner.address.into(), PORTS.plain);
    let there = SocketAddr::new(world.host(54).into(), 8443);
    let Some(dnsdist) = Dnsdist::start(there, plain, GOOD) else { return };
    let upstream =
        Upstream::Forward { servers: vec![dnsdist.server(there)], trust_anchors: vec![world.anchor.clone()] };
    let resolver = Resolver { upstream, transports: vec![Transport::Plain], ..Resolver::default() };
    let address = SocketAddr::new(world.host(55).into(), PORTS.plain);
    let start = ResolverStart { resolver, addresses: vec![address.ip()], tls_key: tls_key() };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(START, serde_json::to_string(&start).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stream = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        TcpStream::connect(address).ok()
    });
    let answers: Option<Vec<usize>> = stream.map(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        let ask = |(name, kind)| {
            send(&mut stream, &question(name, kind));
            receive(&mut stream).0.answers.iter().filter(|record| record.record_type() == kind).count()
        };
        // the second one is too long for UDP
        [("www.example.org.", A), ("big.example.org.", TXT)].into_iter().map(ask).collect()
    });
    let ended = child.try_wait().unwrap();
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!((ended, answers), (None, Some(vec![1, 8])));
}
