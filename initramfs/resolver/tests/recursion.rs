//! Recursion with DNSSEC, on real packets.
#![allow(clippy::disallowed_macros)]
mod common;

use common::client::{addresses, ede, plain_question, question};
use common::world::World;
use common::{recursive, Running};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType::{self, A, AAAA, TXT};

struct Setup {
    // dropped in this order: the resolver first
    resolver: Running,
    world: World,
}

fn setup() -> Setup {
    let world = World::start();
    let resolver = Running::start(world.host(53), recursive(&world));
    Setup { resolver, world }
}

#[test]
fn signed_names_are_authentic() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.ask("www.example.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert_eq!(addresses(&answer), ["192.0.2.1"]);
    assert!(answer.metadata.authentic_data && answer.metadata.recursion_available);
    assert!(answer.answers.iter().any(|record| record.record_type() == RecordType::RRSIG), "DO gets signatures");
    // once more, from memory, without DO and without AD: no signatures, no AD
    let answer = resolver.udp(&plain_question("www.example.org.", A));
    assert_eq!(addresses(&answer), ["192.0.2.1"]);
    assert_eq!(answer.answers.len(), 1);
    assert!(!answer.metadata.authentic_data && answer.edns.is_none());
}

#[test]
fn unsigned_names_are_answered_without_ad() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.ask("www.plain.org.", A);
    assert_eq!(addresses(&answer), ["192.0.2.7"]);
    assert!(!answer.metadata.authentic_data);
}

#[test]
fn aliases() {
    let Setup { resolver, .. } = &setup();
    for (name, kind, wanted, authentic) in [
        ("alias.example.org.", A, vec!["192.0.2.1"], true),
        ("deep.example.org.", AAAA, vec!["2001:db8::1"], true),
        ("away.example.org.", A, vec!["192.0.2.7"], false),
        ("alias.plain.org.", A, vec!["192.0.2.7"], false),
        // no such type behind the alias: no data, and no failure
        ("alias4.example.org.", AAAA, vec![], true),
        ("alias.plain.org.", AAAA, vec![], false),
    ] {
        let answer = resolver.ask(name, kind);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{name} {kind} {:?}", ede(&answer));
        assert_eq!(addresses(&answer), wanted, "{name} {kind}");
        assert_eq!(answer.metadata.authentic_data, authentic, "{name} {kind}");
    }
    let answer = resolver.ask("gone.example.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain, "{:?}", ede(&answer));
}

#[test]
fn what_does_not_exist_is_proven() {
    let Setup { resolver, .. } = &setup();
    for (name, kind, code, authentic) in [
        ("nothing.example.org.", A, ResponseCode::NXDomain, true),
        ("a.b.nothing.example.org.", A, ResponseCode::NXDomain, true),
        ("v4.example.org.", AAAA, ResponseCode::NoError, true),
        ("nothing.plain.org.", A, ResponseCode::NXDomain, false),
        ("v4.plain.org.", AAAA, ResponseCode::NoError, false),
        ("nowhere.", A, ResponseCode::NXDomain, true),
    ] {
        let answer = resolver.ask(name, kind);
        assert_eq!(answer.metadata.response_code, code, "{name} {kind} {:?}", ede(&answer));
        assert!(answer.answers.is_empty(), "{name} {kind}");
        assert_eq!(answer.metadata.authentic_data, authentic, "{name} {kind}");
        let soa = answer.authorities.iter().any(|record| record.record_type() == RecordType::SOA);
        assert!(soa, "{name} {kind}: no SOA, {:?}", answer.authorities);
    }
}

#[test]
fn wildcards() {
    let Setup { resolver, .. } = &setup();
    for (name, wanted) in [
        ("anything.wild.example.org.", "192.0.2.5"),
        ("zzz.wild.example.org.", "192.0.2.5"),
        ("a.b.wild.example.org.", "192.0.2.5"),
    ] {
        let answer = resolver.ask(name, A);
        assert_eq!(addresses(&answer), [wanted], "{name} {:?}", ede(&answer));
        assert!(answer.metadata.authentic_data, "{name}");
    }
    let answer = resolver.ask("anything.wild.example.org.", AAAA);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{:?}", ede(&answer));
}

#[test]
fn bogus_names_fail() {
    let Setup { resolver, .. } = &setup();
    for name in ["www.bogus.org.", "www.tampered.org."] {
        let answer = resolver.ask(name, A);
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail, "{name}");
        assert!(answer.answers.is_empty(), "{name}");
        assert_eq!(ede(&answer), Some(6), "{name}");
        // whoever checks himself gets them
        let mut unchecked = question(name, A);
        unchecked.metadata.checking_disabled = true;
        let answer = resolver.udp(&unchecked);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{name}");
        assert!(answer.metadata.checking_disabled && !answer.metadata.authentic_data);
        assert_eq!(addresses(&answer).len(), 1);
        // and nobody else does, now that they are in memory
        assert_eq!(resolver.ask(name, A).metadata.response_code, ResponseCode::ServFail, "{name}");
    }
    let answer = resolver.ask("good.tampered.org.", A);
    assert_eq!(addresses(&answer), ["192.0.2.9"], "the control: {:?}", ede(&answer));
}

#[test]
fn another_anchor_makes_everything_bogus() {
    let world = World::start();
    let mut config = recursive(&world);
    let other = common::zone::Key::new(".").anchor();
    config.upstream =
        vitrine_attest::config::Upstream::Recursive { roots: vec![world.host(1).into()], trust_anchors: vec![other] };
    let resolver = Running::start(world.host(53), config);
    let answer = resolver.ask("www.example.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(ede(&answer), Some(6));
}

#[test]
fn answers_keep_the_spelling_of_the_question() {
    let Setup { resolver, .. } = &setup();
    for name in ["www.example.org.", "wWw.ExAmPlE.oRg."] {
        let answer = resolver.ask(name, A);
        assert_eq!(answer.queries[0].name.to_string(), name);
        assert_eq!(addresses(&answer), ["192.0.2.1"]);
    }
}

#[test]
fn one_silent_server_of_two_is_not_a_failure() {
    let Setup { resolver, world } = &setup();
    let _silent = common::hostile::Hostile::start(world.network, 12, |_| vec![]);
    let answer = resolver.ask("www.half.org.", A);
    assert_eq!(addresses(&answer), ["192.0.2.10"], "{:?}", ede(&answer));
}

#[test]
fn text_records() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.ask("txt.example.org.", TXT);
    assert!(answer.metadata.authentic_data);
}
