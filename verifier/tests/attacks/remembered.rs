//! What the checks say of what is remembered, and what a policy makes of it: V16, V21, V27.

use crate::failures;
use crate::mock::Scene;
use vitrine_attest::Sha256;
use vitrine_verifier::demands::Demands;
use vitrine_verifier::memory::{Book, Memory, Off, Record, ServerId};
use vitrine_verifier::policy::{FirstSeen, MemoryPolicy, Policy};
use vitrine_verifier::report::{judge_with, Report};
use vitrine_verifier::verdict::Level;

/// The record of this scene's server, as an accepted check leaves it.
fn record(scene: &Scene) -> (ServerId, Record) {
    let (case, _) = judge_with(scene.inputs(), Demands::at(Level::L2));
    let release = case.release_seen().unwrap();
    let boot = case.boot().unwrap();
    (case.server_id().unwrap(), Record { first_seen: 1, last_seen: 2, address: "http://mock".into(), boot, release })
}

fn judged(scene: &Scene, book: Book, policy: Policy) -> Report {
    let memory = Memory::Kept { before: book.clone().into(), now: book.into() };
    judge_with(scene.inputs(), Demands { memory, policy, ..Demands::at(Level::L2) }).1
}

fn detail(report: &Report, code: &str) -> String {
    report.checks.iter().find(|check| check.code == code).unwrap().detail.clone()
}

#[test]
fn first_seen_and_another_tpm_at_the_address() {
    let scene = Scene::good();
    let first = judged(&scene, Book::default(), Policy::default());
    assert!(detail(&first, "V16").ends_with("; first seen"), "{}", detail(&first, "V16"));
    let other = Book { servers: [record(&Scene::good())].into(), ..Book::default() };
    let words = detail(&judged(&scene, other, Policy::default()), "V16");
    assert!(words.contains("another TPM answered at this address"), "{words}");
    let known = Book { servers: [record(&scene)].into(), ..Book::default() };
    let words = detail(&judged(&scene, known, Policy::default()), "V16");
    assert!(words.contains("known since 1970-01-01"), "{words}");
}

#[test]
fn another_image_than_the_last_time_is_said() {
    let scene = Scene::good();
    let (server, same) = record(&scene);
    let mut other = same.clone();
    other.release.fingerprint = vitrine_attest::fingerprint::Fingerprint::new(Sha256::ZERO, Sha256::ZERO);
    for (record, said) in [(same, false), (other, true)] {
        let report = judged(&scene, Book { servers: [(server, record)].into(), ..Book::default() }, Policy::default());
        assert_eq!(failures(&report), [""; 0]);
        assert_eq!(detail(&report, "V21").contains("another image or configuration"), said);
    }
}

#[test]
fn v27_by_policy_and_memory() {
    let scene = Scene::good();
    let known = Book { servers: [record(&scene)].into(), ..Book::default() };
    let policy = |required, first_seen| Policy { memory: MemoryPolicy { required, first_seen }, ..Policy::default() };
    let off = |policy| {
        let memory = Memory::Off(Off::Declined);
        failures(&judge_with(scene.inputs(), Demands { memory, policy, ..Demands::at(Level::L2) }).1)
    };
    let with = |book: &Book, policy| failures(&judged(&scene, book.clone(), policy));
    for (required, first_seen, nothing, empty) in [
        (false, FirstSeen::Accept, &[][..], &[][..]),
        (true, FirstSeen::Accept, &["V27 nothing-remembered"], &[]),
        (false, FirstSeen::Refuse, &["V27 nothing-remembered"], &["V27 first-seen-refused"]),
        (true, FirstSeen::Refuse, &["V27 nothing-remembered"], &["V27 first-seen-refused"]),
    ] {
        let words = format!("required {required}, first seen {first_seen:?}");
        assert_eq!(off(policy(required, first_seen)), nothing, "{words}");
        assert_eq!(with(&Book::default(), policy(required, first_seen)), empty, "{words}");
        assert_eq!(with(&known, policy(required, first_seen)), [""; 0], "{words}");
    }
}
