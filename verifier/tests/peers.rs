//! `peers …` as an owner runs it, with PID 1 played by the test, and agents that lie.

mod mock;
mod person;

use mock::Scene;
use person::{cannot_judge, ends, json, serve_scene, text, Lie, Person, Served};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use vitrine_attest::digest::Key32;
use vitrine_attest::order::Operation;

const TRUST: &str = "--statement statement --key key --ek-roots roots --owner-key owner";

fn start() -> (Person, Served) {
    let scene = Scene::good();
    (Person::of(&scene), serve_scene(scene))
}

fn one(person: &Person, served: &Served, verb: &str) -> Output {
    person.run(&format!("peers {verb} --server {} {TRUST} --peer {}", served.url, Key32([7; 32])))
}

fn set(person: &Person, served: &Served, verb: &str) -> Output {
    person.run(&format!("peers {verb} --server {} {TRUST}", served.url))
}

fn peers(keys: std::ops::RangeInclusive<u8>) -> String {
    let entry = |n: u8| {
        // not the mock server's own key, which is of one byte alone
        let key = Key32([[n; 31].as_slice(), &[0]].concat().try_into().unwrap());
        format!("[[peer]]\nkey = \"{key}\"\nallowed_ips = [\"10.66.0.{n}/32\"]\n")
    };
    keys.map(entry).collect()
}

#[test]
fn add_has_remove() {
    let (person, served) = start();
    let has = one(&person, &served, "has");
    ends(&has, 1, "not configured");
    ends(&one(&person, &served, "add --allowed-ips 10.66.0.7/32,fd66::7/128"), 0, "added ");
    ends(&one(&person, &served, "has"), 0, "configured and online");
    let answer = json(&one(&person, &served, "has --json"));
    assert_eq!((&answer["has"], &answer["online"]), (&true.into(), &true.into()));
    assert_eq!(served.inside.lock().unwrap().pid1.peers.networks(&Key32([7; 32])).unwrap().len(), 2);
    assert_eq!(json(&one(&person, &served, "remove --json"))["done"], "removed");
    ends(&one(&person, &served, "has"), 1, "not configured");
    assert_eq!(served.inside.lock().unwrap().pid1.orders.len(), 6);
}

/// A refusal is authentic, and says what is wrong.
#[test]
fn refusals() {
    let (person, served) = start();
    let refused = |networks: &str, says: &str| {
        let output = one(&person, &served, &format!("add --allowed-ips {networks}"));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(says) && errors.lines().count() == 2, "{errors}");
    };
    refused("10.67.0.7/32", "allowed-ips");
    refused("10.66.0.1/32", "own-address");
    assert!(served.inside.lock().unwrap().pid1.peers.is_empty());
}

/// An agent that drops orders can say anything, but not in the name of PID 1.
#[test]
fn lying_agents() {
    let (person, served) = start();
    let lie = |lie: Lie, code: i32, says: &str| {
        served.inside.lock().unwrap().lies.push(lie);
        let output = one(&person, &served, "remove");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(code), ""), "{errors}");
        assert!(errors.contains(says), "{errors}");
    };
    ends(&one(&person, &served, "remove"), 0, "removed");
    let not_pid1 = "not by the server that was attested";
    lie(Lie::Instead(204, vec![]), 1, not_pid1);
    lie(Lie::Instead(200, br#"{"accepted":true}"#.to_vec()), 1, not_pid1);
    lie(Lie::Instead(200, vec![7; 304]), 1, not_pid1);
    lie(Lie::Earlier(0), 1, not_pid1);
    lie(Lie::Instead(403, br#"{"code":"order-unsealed"}"#.to_vec()), 1, "could not open the order: order-unsealed");
    lie(Lie::Instead(503, br#"{"code":"busy"}"#.to_vec()), 2, "busy (status 503)");
    assert_eq!(served.inside.lock().unwrap().pid1.orders, [Operation::Remove(Key32([7; 32]))]);
}

#[test]
fn a_set_is_sent_compared_and_sent_again() {
    let (person, served) = start();
    std::fs::write(person.path("peers.toml"), peers(2..=200)).unwrap();
    ends(&set(&person, &served, "commitment peers.toml"), 1, "different: ");
    ends(&set(&person, &served, "sync peers.toml"), 0, "199 added, 0 removed, 0 unchanged");
    ends(&set(&person, &served, "commitment peers.toml"), 0, "equal: ");
    let orders = served.inside.lock().unwrap().pid1.orders.len();
    ends(&set(&person, &served, "sync peers.toml"), 0, "0 added, 0 removed, 199 unchanged");
    assert_eq!(served.inside.lock().unwrap().pid1.orders.len(), orders + 1, "more than a question was sent");
    std::fs::write(person.path("peers.toml"), peers(100..=210)).unwrap();
    let done = json(&set(&person, &served, "sync peers.toml --json"));
    let counts = [&done["added"], &done["removed"], &done["unchanged"]].map(|n| n.as_u64().unwrap());
    assert_eq!((counts, &done["done"]), ([10, 98, 101], &"synced".into()));
    let answer = json(&set(&person, &served, "commitment peers.toml --json"));
    assert_eq!((&answer["equal"], &answer["peers"]), (&true.into(), &111.into()));
}

#[test]
fn somebody_elses_peer_is_found() {
    let (person, served) = start();
    std::fs::write(person.path("peers.toml"), peers(2..=4)).unwrap();
    ends(&set(&person, &served, "sync peers.toml"), 0, "3 added");
    one(&person, &served, "add --allowed-ips 10.66.0.7/32");
    ends(&set(&person, &served, "commitment peers.toml"), 1, "different: ");
    ends(&set(&person, &served, "sync peers.toml"), 0, "0 added, 1 removed, 3 unchanged");
}

#[test]
fn files_with_problems_are_not_sent() {
    let (person, served) = start();
    let bad = peers(2..=4).replacen("10.66.0.3/32", "10.66.0.3", 1) + &peers(2..=2);
    std::fs::write(person.path("peers.toml"), bad).unwrap();
    let output = set(&person, &served, "sync peers.toml");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for says in ["peers.toml: 2 problems", "\n  line 6: allowed_ips", "\n  line 11: key is the same as in line 2"] {
        assert!(errors.contains(says), "{errors}");
    }
    std::fs::write(person.path("peers.toml"), "").unwrap();
    cannot_judge(&set(&person, &served, "sync peers.toml"), "all would be removed");
    assert!(served.inside.lock().unwrap().pid1.orders.is_empty());
    one(&person, &served, "add --allowed-ips 10.66.0.7/32");
    ends(&set(&person, &served, "sync peers.toml --allow-empty"), 0, "0 added, 1 removed");
    // not the text of the file: names are nobody's business
    std::fs::write(person.path("peers.toml"), peers(2..=2) + "nmae = \"Alice\"\n").unwrap();
    let output = set(&person, &served, "sync peers.toml");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("line 4") && !errors.contains("Alice"), "{errors}");
}

#[test]
fn no_order_leaves_for_a_server_that_is_not_accepted() {
    let mut scene = Scene::good();
    let person = Person::of(&scene);
    scene.measure(9, "another initramfs");
    let served = serve_scene(scene);
    std::fs::write(person.path("peers.toml"), peers(2..=4)).unwrap();
    ends(&one(&person, &served, "remove"), 1, "REJECTED");
    ends(&one(&person, &served, "has"), 1, "REJECTED");
    ends(&set(&person, &served, "sync peers.toml"), 1, "REJECTED");
    ends(&set(&person, &served, "commitment peers.toml"), 1, "REJECTED");
    assert!(served.inside.lock().unwrap().pid1.orders.is_empty());
}

#[test]
fn owner_keys_that_are_refused() {
    let (person, served) = start();
    let mode = |mode| std::fs::set_permissions(person.path("owner"), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    cannot_judge(&one(&person, &served, "remove"), "can be read by others");
    mode(0o600);
    let stranger = Person::of(&Scene { owner_key: mock::SigningKey::from_bytes(&[9; 32]), ..Scene::good() });
    std::fs::copy(stranger.path("owner"), person.path("owner")).unwrap();
    cannot_judge(&one(&person, &served, "remove"), "not the owner's key");
    std::fs::write(person.path("owner"), b"-----BEGIN").unwrap();
    cannot_judge(&one(&person, &served, "remove"), "no Ed25519 key");
    assert!(served.inside.lock().unwrap().pid1.orders.is_empty());
}
