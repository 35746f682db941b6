//! Epochs of a fleet: what the operator makes, and what one customer can check with it.

mod mock;
mod person;

use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use mock::Scene;
use person::{cannot_judge, ends, text, Person};
use std::os::unix::fs::PermissionsExt as _;

fn start() -> Person {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let pem = scene.release_key.to_pkcs8_pem(Default::default()).unwrap();
    std::fs::write(person.path("release.key"), pem.as_bytes()).unwrap();
    std::fs::set_permissions(person.path("release.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let list: Vec<String> = ["a", "b", "c"]
        .map(|name| {
            let (ek, release) = (name.repeat(64), name.repeat(64));
            format!("[[server]]\nname = \"{name}\"\nek = \"{ek}\"\nfingerprint = \"vitrine1:{release}\"\n")
        })
        .to_vec();
    std::fs::write(person.path("servers.toml"), format!("version = 1\n{}", list.concat())).unwrap();
    person
}

const MAKE: &str =
    "fleet-epoch make --servers servers.toml --from 2026-11-01 --until 2026-11-30 --key-file release.key";

fn mode(person: &Person, name: &str) -> u32 {
    std::fs::metadata(person.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn made_by_the_operator_and_checked_by_a_customer() {
    let person = start();
    ends(
        &person.run(&format!("{MAKE} --capacity 64 --epoch 7 --out-dir e7")),
        0,
        "epoch 7: 3 servers in 64 places, root ",
    );
    assert_eq!(
        [mode(&person, "e7"), mode(&person, "e7/book.json"), mode(&person, "e7/records/a.json")],
        [0o700, 0o600, 0o600]
    );
    let check = |record: &str| {
        person.run(&format!("fleet-epoch check --record {record} --statement e7/fleet-epoch.dsse.json --key key"))
    };
    for name in ["a", "b", "c"] {
        let output = check(&format!("e7/records/{name}.json"));
        ends(&output, 0, "in epoch 7 of example.org/release, 2026-11-01 to 2026-11-30");
        assert!(text(&output).contains(&format!("server   {}\n", name.repeat(64))), "{}", text(&output));
        assert!(text(&output).contains("not shown:"));
    }
    // nothing that is published names a server
    let published = std::fs::read_to_string(person.path("e7/fleet-epoch.dsse.json")).unwrap();
    use base64::{engine::general_purpose::STANDARD, Engine as _};
    let envelope: serde_json::Value = serde_json::from_str(&published).unwrap();
    let payload = String::from_utf8(STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap();
    assert!(!payload.contains("aaaaaaaa") && !payload.contains("\"3\""), "{payload}");
    // the same file again, from the book
    let again = format!(
        "fleet-epoch record --book e7/book.json --statement e7/fleet-epoch.dsse.json --out again.json --server {}",
        "b".repeat(64)
    );
    ends(&person.run(&again), 0, "again.json written");
    let read = |name: &str| std::fs::read(person.path(name)).unwrap();
    assert_eq!(read("again.json"), read("e7/records/b.json"));
    assert_eq!(mode(&person, "again.json"), 0o600);
    cannot_judge(&person.run(&again.replace(&"b".repeat(64), &"d".repeat(64))), "no such server");
    // altered
    let altered = String::from_utf8(read("again.json")).unwrap().replace(&"b".repeat(64), &"a".repeat(64));
    std::fs::write(person.path("altered.json"), altered).unwrap();
    let output = check("altered.json");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not lead to the root"));
    cannot_judge(&check("servers.toml"), "record:");
    std::fs::set_permissions(person.path("e7/book.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    cannot_judge(&person.run(&again), "can be read by others");
}

#[test]
fn epochs_do_not_tell_each_other_apart_by_number_and_do_not_mix() {
    let person = start();
    ends(&person.run(&format!("{MAKE} --capacity 64 --epoch 7 --out-dir e7")), 0, "epoch 7");
    ends(&person.run(&format!("{MAKE} --capacity 64 --epoch 7 --out-dir again")), 0, "epoch 7");
    let read = |name: &str| std::fs::read(person.path(name)).unwrap();
    assert_ne!(read("e7/fleet-epoch.dsse.json"), read("again/fleet-epoch.dsse.json"), "salts are not new");
    assert_eq!(read("e7/fleet-epoch.dsse.json").len(), read("again/fleet-epoch.dsse.json").len());
    std::fs::write(person.path("servers.toml"), "version = 1\n").unwrap();
    ends(&person.run(&format!("{MAKE} --capacity 64 --epoch 7 --out-dir none")), 0, "epoch 7: 0 servers");
    assert_eq!(read("e7/fleet-epoch.dsse.json").len(), read("none/fleet-epoch.dsse.json").len());
    let mixed =
        person.run("fleet-epoch check --record e7/records/a.json --statement again/fleet-epoch.dsse.json --key key");
    assert_eq!(mixed.status.code(), Some(1));
    let book = person.run(&format!(
        "fleet-epoch record --book e7/book.json --statement again/fleet-epoch.dsse.json --out x --server {}",
        "a".repeat(64)
    ));
    cannot_judge(&book, "another epoch");
    let other = Scene::good();
    let stranger = vitrine_attest::vkey::NoteKey::new("other", other.owner_key.verifying_key()).unwrap();
    std::fs::write(person.path("other.pub"), format!("{stranger}\n")).unwrap();
    let by_another =
        person.run("fleet-epoch check --record e7/records/a.json --statement e7/fleet-epoch.dsse.json --key other.pub");
    assert_eq!(by_another.status.code(), Some(1));
}

#[test]
fn epochs_that_are_not_made() {
    let person = start();
    for (more, says) in [
        ("--capacity 2 --epoch 7 --out-dir x", "3 servers do not fit"),
        ("--capacity 48 --epoch 7 --out-dir x", "power of two"),
        ("--capacity 131072 --epoch 7 --out-dir x", "power of two"),
        ("--capacity 4 --epoch 7 --out-dir x --until 2026-10-01", ""),
    ] {
        let output = person.run(&format!("{MAKE} {more}"));
        assert_eq!(output.status.code(), Some(2), "{more}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{more}");
        assert!(!person.path("x").exists(), "{more}");
    }
    let backwards = MAKE.replace("2026-11-30", "2026-10-31");
    cannot_judge(&person.run(&format!("{backwards} --capacity 4 --epoch 7 --out-dir x")), "before it begins");
    std::fs::create_dir(person.path("there")).unwrap();
    cannot_judge(&person.run(&format!("{MAKE} --capacity 4 --epoch 7 --out-dir there")), "there");
}
