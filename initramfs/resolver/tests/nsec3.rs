//! Zones signed with NSEC3 (RFC 5155), by other programs: what is there, what is not, and what was changed.
#![allow(clippy::disallowed_macros)]
mod common;

use common::client::{addresses, ede};
use common::nsd::Nsec3World;
use common::Running;
use hickory_proto::op::ResponseCode::{self, NXDomain, NoError};
use hickory_proto::rr::RecordType::{self, A, AAAA, DS, NS, TXT};
use vitrine_attest::config::{Resolver, Upstream};

struct Setup {
    // dropped in this order: the resolver first
    resolver: Running,
    _world: Nsec3World,
}

fn setup() -> Setup {
    let world = Nsec3World::start();
    let upstream = Upstream::Recursive { roots: vec![world.host(1).into()], trust_anchors: vec![world.anchor.clone()] };
    let resolver = Running::start(world.host(53), Resolver { upstream, ..Resolver::default() });
    Setup { resolver, _world: world }
}

#[test]
fn nsec3() {
    let Setup { resolver, .. } = &setup();
    let cases: &[(&str, RecordType, ResponseCode, &[&str], bool)] = &[
        ("www.example.org.", A, NoError, &["192.0.2.1"], true),
        ("alias.example.org.", A, NoError, &["192.0.2.1"], true),
        // nothing of that type
        ("www.example.org.", TXT, NoError, &[], true),
        ("www.example.org.", NS, NoError, &[], true),
        ("alias.example.org.", AAAA, NoError, &[], true),
        // a name between two others, without records
        ("empty.example.org.", A, NoError, &[], true),
        // no such name: next to, and far below, one that exists
        ("nothing.example.org.", A, NXDomain, &[], true),
        ("a.b.c.example.org.", A, NXDomain, &[], true),
        // wildcards: an answer, and no data
        ("anything.wild.example.org.", A, NoError, &["192.0.2.5"], true),
        ("a.b.wild.example.org.", A, NoError, &["192.0.2.5"], true),
        ("anything.wild.example.org.", AAAA, NoError, &[], true),
        // Opt-Out: a delegation that nobody signed for
        ("www.plain.org.", A, NoError, &["192.0.2.7"], false),
        ("www.plain.org.", AAAA, NoError, &[], false),
        ("nothing.plain.org.", A, NXDomain, &[], false),
        ("nothing.org.", A, NXDomain, &[], false),
        ("plain.org.", DS, NoError, &[], false),
        ("good.tampered.org.", A, NoError, &["192.0.2.9"], true),
    ];
    let mut wrong = Vec::new();
    for (name, kind, code, wanted, authentic) in cases {
        let answer = resolver.ask(name, *kind);
        let found = (answer.metadata.response_code, addresses(&answer), answer.metadata.authentic_data);
        if found.0 != *code || found.1 != *wanted || found.2 != *authentic {
            wrong.push(format!("{name} {kind}: {found:?}, EDE {:?}", ede(&answer)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_changed_fails() {
    let Setup { resolver, .. } = &setup();
    let answer = resolver.ask("www.tampered.org.", A);
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(ede(&answer), Some(6));
    assert!(answer.answers.is_empty());
}
