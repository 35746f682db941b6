//! Beacons: made at a server, dated by a checkpoint, checked by somebody who has nothing but the file.

mod mock;
mod person;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use mock::{Scene, SigningKey};
use person::{cannot_judge, ends, json, serve_scene, text, Person, Served};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vitrine_attest::boot::BootKeys;
use vitrine_attest::digest::Key32;
use vitrine_attest::note::sign;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::Sha256;
use vitrine_verifier::memory::Book;

const LOG: &str = "log.example/vitrine";

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key(kind: Kind, name: &str, seed: u8) -> NoteKey {
    NoteKey::of_kind(kind, name, secret(seed).verifying_key()).unwrap()
}

fn witness(seed: u8) -> NoteKey {
    key(Kind::Cosignature, &format!("witness.example/w{seed}"), seed)
}

/// Signed by the log (1) and by these witnesses (2 and more) at these times.
fn checkpoint(size: u64, witnesses: &[(u8, u64)]) -> String {
    let note = format!("{LOG}\n{size}\n{}\n", STANDARD.encode([7; 32]));
    let mut lines = sign(&note, LOG, &secret(1), None).unwrap();
    for &(seed, time) in witnesses {
        lines += &sign(&note, witness(seed).name(), &secret(seed), Some(time)).unwrap();
    }
    format!("{note}\n{lines}")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn start() -> (Person, Served) {
    let scene = Scene::good();
    let person = Person::of(&scene);
    write(&person, "log", &format!("# the log\n{}\n", key(Kind::Note, LOG, 1)));
    write(&person, "witnesses", &format!("{}\n\n{}\n", witness(2), witness(3)));
    write(&person, "strangers", &format!("{}\n", witness(9)));
    (person, serve_scene(scene))
}

fn write(person: &Person, name: &str, text: &str) {
    std::fs::write(person.path(name), text).unwrap();
}

fn make(person: &Person, served: &Served, checkpoint: &str) {
    write(person, "checkpoint", checkpoint);
    let output = person.run(&format!("beacon {} --checkpoint checkpoint --out beacon.json", served.url));
    ends(&output, 0, "beacon.json written, dated by log.example/vitrine at ");
}

#[track_caller]
fn refused(output: &std::process::Output, expected: &str) {
    let report = json(output);
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    let failed: Vec<&str> = failed.map(|check| check["reason"].as_str().unwrap()).collect();
    assert_eq!((output.status.code(), failed.as_slice()), (Some(1), [expected].as_slice()), "{report}");
}

#[test]
fn dated_by_a_log_and_by_witnesses() {
    let (person, served) = start();
    make(&person, &served, &checkpoint(1482, &[(2, 1_763_600_060), (3, 1_763_600_000)]));
    drop(served);
    let by_log = person.check("beacon.json", "--ek-roots roots --log-keys log --accept-level L1");
    ends(&by_log, 0, "ACCEPTED; at level L1 only, as asked: V06 skipped; from a beacon");
    assert!(text(&by_log).contains("made after log.example/vitrine had 1482 entries"), "{}", text(&by_log));
    assert!(text(&by_log).contains("- that the server is still the same: no witness of yours"), "{}", text(&by_log));
    // of several witnesses the earliest counts
    let dated = person.check("beacon.json", "--ek-roots roots --log-keys witnesses --accept-level L1");
    ends(&dated, 0, "ACCEPTED");
    assert!(text(&dated).contains("made after 2025-11-20T00:53:20Z, when log.example/vitrine had 1482 entries"));
    // the level that a file alone cannot reach
    ends(&person.check("beacon.json", "--ek-roots roots --log-keys log"), 2, "COULD NOT JUDGE; V06 skipped");
}

#[test]
fn whose_checkpoint() {
    let (person, served) = start();
    let good = checkpoint(7, &[(2, 5)]);
    make(&person, &served, &good);
    cannot_judge(&person.check("beacon.json", "--ek-roots roots"), "--log-keys");
    cannot_judge(&person.check("beacon.json", &format!("--log-keys log --nonce {}", "0".repeat(64))), "--nonce");
    cannot_judge(&person.check("beacon.json", "--log-keys key-that-is-not-there"), "key-that-is-not-there");
    cannot_judge(&person.check(&served.url, "--log-keys log"), "leave --log-keys out");
    write(&person, "half", "log.example/vitrine+00000000\n");
    cannot_judge(&person.check("beacon.json", "--log-keys half"), "line 1");
    let check = |keys: &str| {
        person.check("beacon.json", &format!("--ek-roots roots --accept-level L1 --json --log-keys {keys}"))
    };
    refused(&check("strangers"), "checkpoint-untrusted");
    // another log's key signs for another log
    write(&person, "other", &format!("{}\n", key(Kind::Note, "other.example", 1)));
    refused(&check("other"), "checkpoint-untrusted");
    // what is altered in the file was not the nonce, or was not signed
    let file = std::fs::read_to_string(person.path("beacon.json")).unwrap();
    write(&person, "beacon.json", &file.replace("\\n7\\n", "\\n8\\n"));
    refused(&check("log"), "checkpoint-untrusted");
    let unsigned = good.lines().last().unwrap().to_owned();
    let without = file.replace(&format!("{unsigned}\\n"), "");
    assert_ne!(without, file);
    write(&person, "beacon.json", &without);
    refused(&check("log"), "extra-data-differs");
}

/// A log's key for a log of another name is no key of this one.
#[test]
fn a_log_signs_for_itself_only() {
    let (person, served) = start();
    let note = format!("{LOG}\n7\n{}\n", STANDARD.encode([7; 32]));
    let other = key(Kind::Note, "other.example", 5);
    let checkpoint = format!("{note}\n{}", sign(&note, other.name(), &secret(5), None).unwrap());
    make(&person, &served, &checkpoint);
    write(&person, "other", &format!("{other}\n"));
    refused(
        &person.check("beacon.json", "--ek-roots roots --accept-level L1 --json --log-keys other"),
        "checkpoint-untrusted",
    );
    let output = person.run(&format!("beacon {} --checkpoint checkpoint --out b2 --log-keys other", served.url));
    cannot_judge(&output, "none of your keys");
    assert!(!person.path("b2").exists());
}

/// A TPM that has activated a credential for this person once need not do it again for the same attestation key.
#[test]
fn the_level_of_an_earlier_check() {
    let (person, served) = start();
    make(&person, &served, &checkpoint(1, &[(2, 5)]));
    let check = || person.check("beacon.json", "--ek-roots roots --log-keys witnesses --state state");
    ends(&check(), 2, "COULD NOT JUDGE; V06 skipped");
    ends(&person.check(&served.url, "--ek-roots roots --state state"), 0, "ACCEPTED");
    let output = check();
    ends(&output, 0, "ACCEPTED; from a beacon");
    assert!(text(&output).contains("as it showed when it was last accepted"), "{}", text(&output));
    // also after a reboot
    served.inside.lock().unwrap().scene.reboot(0x58);
    make(&person, &served, &checkpoint(2, &[(2, 6)]));
    ends(&check(), 0, "ACCEPTED");
    let mut book = Book::parse(&std::fs::read(person.path("state")).unwrap()).unwrap();
    // two hours later the clock of the same file has not gone on, and that says nothing
    book.servers.values_mut().for_each(|record| record.last_seen -= 7200);
    std::fs::write(person.path("state"), book.to_bytes().unwrap()).unwrap();
    let output = check();
    ends(&output, 0, "ACCEPTED");
    assert!(!text(&output).contains("stood still"), "{}", text(&output));
    // another attestation key has shown nothing
    let boot = &mut book.servers.values_mut().next().unwrap().boot;
    boot.ak_name = format!("000b{}", "0".repeat(64));
    boot.reset_count = 0;
    let key = Key32([1; 32]);
    boot.keys = BootKeys { wg_pub: key, channel_pub: key, sign_pub: key, tls_spki: Sha256::ZERO };
    std::fs::write(person.path("state"), book.to_bytes().unwrap()).unwrap();
    ends(&check(), 2, "COULD NOT JUDGE; V06 skipped");
}

#[test]
fn age() {
    let (person, served) = start();
    write(&person, "policy", "version = 1\n[evidence]\nmax_age = \"1h\"\n");
    let check = |keys: &str| {
        person.check(
            "beacon.json",
            &format!("--ek-roots roots --policy policy --accept-level L1 --json --log-keys {keys}"),
        )
    };
    make(&person, &served, &checkpoint(1, &[(2, now() - 600)]));
    assert_eq!(check("witnesses").status.code(), Some(0));
    refused(&check("log"), "evidence-age-unknown");
    make(&person, &served, &checkpoint(1, &[(2, now() - 7200)]));
    refused(&check("witnesses"), "evidence-too-old");
    make(&person, &served, &checkpoint(1, &[(2, now() + 7200)]));
    refused(&check("witnesses"), "evidence-age-unknown");
}

#[test]
fn checkpoints_that_are_none() {
    let (person, served) = start();
    for bad in ["", "hello", "a\n1\nx\n\n\u{2014} a AAAAAAA=\n"] {
        write(&person, "checkpoint", bad);
        let output = person.run(&format!("beacon {} --checkpoint checkpoint --out beacon.json", served.url));
        cannot_judge(&output, "checkpoint:");
        assert!(!person.path("beacon.json").exists());
    }
    write(&person, "beacon.json", "{\"v\":2,\"beacon\":\"\",\"m2\":\"\"}");
    cannot_judge(&person.check("beacon.json", "--log-keys log"), "version 2");
    write(&person, "beacon.json", "{\"v\":1,\"beacon\":\"\"}");
    cannot_judge(&person.check("beacon.json", "--log-keys log"), "no usable beacon");
}

/// Each new checkpoint makes a new beacon; without one, and without the server, the last one stays.
#[test]
fn on_a_schedule() {
    let (person, served) = start();
    write(&person, "checkpoint", &checkpoint(1, &[]));
    let mut process = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"))
        .args(["beacon", &served.url, "--checkpoint", "checkpoint", "--out", "beacon.json", "--every", "1s"])
        .current_dir(person.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(process.stdout.take().unwrap()));
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().ends_with("at 1 entries"));
    let first = std::fs::read(person.path("beacon.json")).unwrap();
    write(&person, "checkpoint", "nothing");
    assert!(next().contains("no new beacon"));
    assert_eq!(std::fs::read(person.path("beacon.json")).unwrap(), first);
    write(&person, "checkpoint", &checkpoint(2, &[]));
    while !next().ends_with("at 2 entries") {}
    assert_ne!(std::fs::read(person.path("beacon.json")).unwrap(), first);
    let looks = served.inside.lock().unwrap().looks;
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(served.inside.lock().unwrap().looks, looks, "the same checkpoint was used again");
    process.kill().unwrap();
    process.wait().unwrap();
}
