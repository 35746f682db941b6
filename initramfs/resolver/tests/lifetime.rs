//! What is kept, for how long, and what is blocked.
#![allow(clippy::disallowed_macros)]
mod common;

use common::client::{addresses, ede};
use common::world::World;
use common::{recursive, Running};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType::{self, A};
use std::io::{BufRead as _, BufReader, Seek as _, Write as _};
use std::time::{Duration, Instant};
use vitrine_attest::config::{Cache, Span};
use vitrine_attest::Sha256;
use vitrine_resolver::run::End;

fn ttl(resolver: &Running, name: &str) -> u32 {
    let answer = resolver.ask(name, A);
    assert_eq!(addresses(&answer).len(), 1, "{name} {:?}", ede(&answer));
    answer.answers.iter().map(|record| record.ttl).max().unwrap()
}

#[test]
fn times() {
    let world = World::start();
    let mut config = recursive(&world);
    config.cache = Cache { entries: 1000, ttl: Span::seconds(60) };
    let resolver = Running::start(world.host(53), config);
    assert_eq!(ttl(&resolver, "long.example.org."), 60, "a day is cut to the configuration's minute");
    let first = ttl(&resolver, "short.example.org.");
    assert!(first <= 2);
    std::thread::sleep(Duration::from_millis(1200));
    assert!((58..60).contains(&ttl(&resolver, "long.example.org.")), "it runs down");
    std::thread::sleep(Duration::from_millis(1200));
    // over: asked for again
    assert!(ttl(&resolver, "short.example.org.") >= 1);
}

#[test]
fn no_cache_at_all() {
    let world = World::start();
    let mut config = recursive(&world);
    config.cache = Cache { entries: 0, ttl: Span::seconds(0) };
    let resolver = Running::start(world.host(53), config);
    for _ in 0..2 {
        assert_eq!(ttl(&resolver, "long.example.org."), 0);
    }
}

#[test]
fn it_forgets() {
    let world = World::start();
    let mut config = recursive(&world);
    config.forget_after = Span::seconds(1);
    let resolver = Running::start(world.host(53), config);
    // nothing was asked: nothing to forget
    std::thread::sleep(Duration::from_millis(1800));
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(addresses(&resolver.ask("www.example.org.", A)).len(), 1);
        std::thread::sleep(Duration::from_millis(600));
    }
    assert_eq!(resolver.end(), Ok(End::Forgotten));
    let lived = begin.elapsed();
    assert!(lived >= Duration::from_millis(2100) && lived < Duration::from_secs(5), "{lived:?}");
}

#[test]
fn it_ends_with_init() {
    let world = World::start();
    let mut resolver = Running::start(world.host(53), recursive(&world));
    drop(resolver.init.take());
    assert_eq!(resolver.end(), Ok(End::Init));
    // and when init says something that nobody expects
    let resolver = Running::start(world.host(54), recursive(&world));
    resolver.init.as_ref().unwrap().write_all(b"{}\n").unwrap();
    assert_eq!(resolver.end(), Ok(End::Init));
}

fn file(text: &str) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn blocklist() {
    let world = World::start();
    let list = "example.com\nn5.example.org\nwww.example.org\nzone.example\n";
    let mut config = recursive(&world);
    config.blocklist = Some(Sha256::of(list.as_bytes()));
    let resolver = Running::with_blocklist(world.host(53), config, Some(file(list)));
    for name in ["www.example.org.", "WWW.Example.Org.", "a.b.www.example.org.", "example.com.", "x.zone.example."] {
        let answer = resolver.ask(name, A);
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain, "{name}");
        assert_eq!(ede(&answer), Some(15), "{name}");
    }
    for name in ["v4.example.org.", "n55.example.org.", "n4.example.org."] {
        assert_eq!(addresses(&resolver.ask(name, A)).len(), 1, "{name}");
    }
    // five were blocked; the line comes with the next look at the counter, and no second one within ten seconds
    let init = resolver.init.as_ref().unwrap();
    init.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut lines = BufReader::new(init);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line == "{\"blocked\":5}\n" || line.starts_with("{\"blocked\":"), "{line}");
    let mut second = String::new();
    assert!(lines.read_line(&mut second).is_err(), "{second}");
}

#[test]
fn another_blocklist_is_refused() {
    let world = World::start();
    let mut config = recursive(&world);
    config.blocklist = Some(Sha256::of(b"example.com\n"));
    for (given, code) in [
        (Some(file("example.net\n")), "blocklist-digest"),
        (Some(file("")), "blocklist-digest"),
        (None, "blocklist-missing"),
    ] {
        let running = Running::with_blocklist(world.host(53), config.clone(), given);
        assert_eq!(running.end().unwrap_err().0, code);
    }
    config.blocklist = Some(Sha256::of(b"b.example\na.example\n"));
    let running = Running::with_blocklist(world.host(53), config, Some(file("b.example\na.example\n")));
    assert_eq!(running.end().unwrap_err().0, "blocklist-form");
}

#[test]
fn unusable_configurations_are_refused() {
    let world = World::start();
    for anchor in ["", "257 3 13", "257 3 13 ???", "257 2 13 AAAA", "0 3 13 AAAA", "257 3 99 AAAA"] {
        let mut config = recursive(&world);
        config.upstream = vitrine_attest::config::Upstream::Recursive {
            roots: vec![world.host(1).into()],
            trust_anchors: vec![anchor.to_owned()],
        };
        assert_eq!(Running::start(world.host(53), config).end().unwrap_err().0, "trust-anchor", "{anchor}");
    }
    // an address that is not ours
    let resolver = Running::start("192.0.2.1".parse().unwrap(), recursive(&world));
    assert_eq!(resolver.end().unwrap_err().0, "listen");
    assert_eq!(RecordType::from(1), A);
}
