//! What is remembered of servers: across runs of the program, with servers that go back in time.

mod mock;
mod person;

use mock::{Scene, SigningKey};
use person::{cannot_judge, ends, json, serve_scene, text, Inside, Person, Served};
use rustix::fs::{flock, FlockOperation};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::Key32;
use vitrine_attest::Sha256;
use vitrine_verifier::demands::Demands;
use vitrine_verifier::memory::{Book, Memory, Record, ServerId};
use vitrine_verifier::outcome::Status;
use vitrine_verifier::report::judge_with;
use vitrine_verifier::verdict::{Level, Verdict};

/// In the state home of [`Person::run`].
fn place(person: &Person) -> PathBuf {
    person.path("state-home/vitrine/verify-state.json")
}

fn start() -> (Person, Served) {
    let scene = Scene::good();
    let person = Person::of(&scene);
    (person, serve_scene(scene))
}

fn check(person: &Person, served: &Served, more: &str) -> Output {
    person.check(&served.url, &format!("--ek-roots roots {more}"))
}

fn change(served: &Served, how: impl FnOnce(&mut Scene)) {
    how(&mut served.inside.lock().unwrap().scene);
}

/// The reason codes of a rejected check.
#[track_caller]
fn refused(output: &Output, expected: &[&str]) {
    let report = json(output);
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    let reasons: Vec<&str> = failed.map(|check| check["reason"].as_str().unwrap()).collect();
    assert_eq!((output.status.code(), reasons.as_slice()), (Some(1), expected), "{report}");
}

#[test]
fn first_seen_and_known() {
    let (person, served) = start();
    let output = check(&person, &served, "");
    ends(&output, 0, "ACCEPTED");
    let first = text(&output);
    assert!(first.contains("first seen") && first.contains("- rollback: the server is first seen"), "{first}");
    let mode = std::fs::metadata(place(&person)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let output = check(&person, &served, "");
    ends(&output, 0, "ACCEPTED");
    let second = text(&output);
    assert!(second.contains("known since") && second.contains("- rollback before 2"), "{second}");
    assert!(!second.contains("first seen,") && !second.contains("is first seen"), "{second}");
    let report = json(&check(&person, &served, "--json"));
    assert_eq!(report["memory"]["kind"], "known");
    assert_eq!(report["memory"]["server"].as_str().unwrap().len(), 64);
}

#[test]
fn counters_and_keys_of_one_tpm() {
    let (person, served) = start();
    change(&served, |scene| (scene.parts.reset_count, scene.parts.restart_count) = (5, 2));
    ends(&check(&person, &served, ""), 0, "ACCEPTED");
    let before = std::fs::read(place(&person)).unwrap();
    type Change = fn(&mut Scene);
    let cases: [(Change, &str); 7] = [
        (|scene| scene.parts.reset_count = 4, "reset-count-went-back"),
        (|scene| scene.parts.restart_count = 1, "restart-count-went-back"),
        (|scene| scene.parts.clock = 0xfff, "clock-went-back"),
        (|scene| (scene.parts.clock, scene.parts.reset_count) = (0, 6), "clock-went-back"),
        (|scene| scene.new_keys(0x70), "boot-differs-without-reset"),
        (|scene| scene.record.keys.tls_spki = Sha256::ZERO, "boot-differs-without-reset"),
        (|scene| scene.parts.reset_count = 6, "boot-keys-survived-reset"),
    ];
    for (how, reason) in cases {
        let (parts, record) = {
            let inside = served.inside.lock().unwrap();
            (inside.scene.parts.clone(), inside.scene.record.clone())
        };
        change(&served, how);
        refused(&check(&person, &served, "--json"), &[reason]);
        change(&served, |scene| (scene.parts, scene.record) = (parts, record));
        assert_eq!(std::fs::read(place(&person)).unwrap(), before, "a rejected server was remembered");
    }
    change(&served, |scene| scene.reboot(0x70));
    let output = check(&person, &served, "");
    ends(&output, 0, "ACCEPTED");
    assert!(text(&output).contains("booted since (5 resets then)"), "{}", text(&output));
    change(&served, |scene| scene.parts.restart_count = 3);
    ends(&check(&person, &served, ""), 0, "ACCEPTED");
    // the boot before: a copy of the machine, put back
    change(&served, |scene| scene.parts.reset_count = 5);
    refused(&check(&person, &served, "--json"), &["reset-count-went-back"]);
}

#[test]
fn statements_of_one_server() {
    let (mut scene, newer) = (Scene::good(), Scene::good());
    scene.statement.predicate.seq = 7;
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    ends(&check(&person, &served, ""), 0, "ACCEPTED");
    let older = vitrine_attest::dsse::sign(&newer.statement, &SigningKey::from_bytes(&[1; 32])).unwrap();
    std::fs::write(person.path("statement"), older.to_json().unwrap()).unwrap();
    refused(&check(&person, &served, "--json"), &["statement-went-back"]);
    // another server may still have it
    ends(&check(&person, &served, "--state other"), 0, "ACCEPTED");
}

#[test]
fn without_memory_only_when_the_person_says_so() {
    let (person, served) = start();
    let output = check(&person, &served, "--no-state");
    ends(&output, 0, "ACCEPTED; nothing remembered, as asked");
    assert!(text(&output).contains("- rollback: nothing is remembered of this server"), "{}", text(&output));
    assert!(!person.path("state-home").exists());
    change(&served, |scene| scene.parts.reset_count = 1);
    ends(&check(&person, &served, "--no-state"), 0, "ACCEPTED");
    assert_eq!(check(&person, &served, "--no-state --state x").status.code(), Some(2));
}

#[test]
fn files_that_cannot_be_used() {
    let (person, served) = start();
    ends(&check(&person, &served, "--state state"), 0, "ACCEPTED");
    let whole = std::fs::read(person.path("state")).unwrap();
    let looks = served.inside.lock().unwrap().looks;
    let half = whole[..whole.len() / 2].to_vec();
    for (bytes, says) in
        [(half, "is damaged"), (vec![], "is damaged"), (br#"{"v":3}"#.to_vec(), "newer vitrine-verify")]
    {
        std::fs::write(person.path("state"), &bytes).unwrap();
        cannot_judge(&check(&person, &served, "--state state"), says);
        cannot_judge(&person.run("state list --state state"), says);
        cannot_judge(&person.run(&format!("state forget {} --state state", served.url)), says);
        assert_eq!(std::fs::read(person.path("state")).unwrap(), bytes, "it was written over");
    }
    cannot_judge(&check(&person, &served, "--state key/state"), "--state FILE, or go without memory with --no-state");
    let nowhere = std::process::Command::new(env!("CARGO_BIN_EXE_vitrine-verify"))
        .args(["check", &served.url, "--statement", "statement", "--key", "key"])
        .current_dir(person.path("."))
        .env_remove("XDG_STATE_HOME")
        .env_remove("HOME")
        .output();
    cannot_judge(&nowhere.unwrap(), "HOME is not set");
    assert_eq!(served.inside.lock().unwrap().looks, looks, "the server was asked for nothing");
}

/// Accepted only when it can be remembered: here the folder is taken away while the server is asked.
#[test]
fn what_cannot_be_remembered_is_not_accepted() {
    let (person, served) = start();
    std::fs::create_dir(person.path("folder")).unwrap();
    let (folder, inner) = (person.path("folder"), served.url.clone());
    let url = person::serve(move |path, body| {
        let _ = std::fs::remove_dir_all(&folder);
        Some(person::forward(&inner, path, body))
    });
    cannot_judge(&person.check(&url, "--ek-roots roots --state folder/state"), "--state");
}

#[test]
fn many_verifiers_at_once() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let roots: Vec<u8> = scene.tpm.ca().to_vec();
    let mut all = roots;
    let servers: Vec<Served> = std::iter::once(scene)
        .chain((0..5).map(|_| Scene::good()))
        .map(|scene| {
            all.extend(scene.tpm.ca());
            serve_scene(scene)
        })
        .collect();
    std::fs::write(person.path("roots"), &all).unwrap();
    std::thread::scope(|scope| {
        for served in &servers {
            let person = &person;
            scope.spawn(move || (0..3).for_each(|_| ends(&check(person, served, ""), 0, "ACCEPTED")));
        }
    });
    let list = json(&person.run("state list --json"));
    assert_eq!(list["servers"].as_object().unwrap().len(), 6);
}

#[test]
fn a_lock_is_waited_for() {
    let (person, served) = start();
    ends(&check(&person, &served, "--state state"), 0, "ACCEPTED");
    let lock = std::fs::File::open(person.path("state.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| check(&person, &served, "--state state"));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished(), "it did not wait");
        drop(lock);
        ends(&waiting.join().unwrap(), 0, "ACCEPTED");
    });
}

/// Another verifier asks after us and is done before us: what it has written is later than what we judge.
#[test]
fn a_verifier_that_was_overtaken() {
    let scene = Scene::good();
    let judged = |before: u64, now: u64, alter: fn(&mut Record)| {
        let (case, _) = judge_with(scene.inputs(), Demands::at(Level::L2));
        let server = case.server_id().unwrap();
        let book = |clock| {
            let mut boot = case.boot().unwrap();
            boot.clock = clock;
            let (address, release) = ("http://mock".into(), case.release_seen().unwrap());
            let mut record = Record { first_seen: 1, last_seen: 2, address, boot, release };
            alter(&mut record);
            Book { servers: [(server, record)].into(), ..Book::default() }
        };
        let memory = Memory::Kept { before: book(before).into(), now: book(now).into() };
        let report = judge_with(scene.inputs(), Demands { memory, ..Demands::at(Level::L2) }).1;
        let failed = report.checks.iter().find(|check| check.status == Status::Failed);
        (report.verdict, failed.and_then(|check| check.reason))
    };
    // the mock's clock stands at 4096
    assert_eq!(judged(4096, 5000, |_| {}), (Verdict::Accepted, None));
    assert_eq!(judged(4097, 5000, |_| {}), (Verdict::Rejected, Some("clock-went-back")));
    let other_keys = |record: &mut Record| record.boot.keys.wg_pub = Key32([1; 32]);
    assert_eq!(judged(0, 5000, other_keys), (Verdict::Rejected, Some("boot-differs-without-reset")));
}

#[test]
fn an_overtaken_boot_with_other_keys() {
    let scene = Scene::good();
    let (case, _) = judge_with(scene.inputs(), Demands::at(Level::L2));
    let mut boot = case.boot().unwrap();
    (boot.clock, boot.keys.wg_pub) = (9000, Key32([1; 32]));
    let record = Record {
        first_seen: 1,
        last_seen: 2,
        address: "http://mock".into(),
        boot,
        release: case.release_seen().unwrap(),
    };
    let now = Book { servers: [(case.server_id().unwrap(), record)].into(), ..Book::default() };
    let memory = Memory::Kept { before: Book::default().into(), now: now.into() };
    let report = judge_with(scene.inputs(), Demands { memory, ..Demands::at(Level::L2) }).1;
    assert_eq!(report.verdict, Verdict::Rejected);
}

#[test]
fn files_are_compared_when_a_state_file_is_named() {
    let (person, served) = start();
    ends(&check(&person, &served, "--save first"), 0, "ACCEPTED");
    change(&served, |scene| scene.reboot(0x70));
    ends(&check(&person, &served, "--save second"), 0, "ACCEPTED");
    let file = |name: &str, more: &str| person.check(name, &format!("--ek-roots roots {more}"));
    let output = file("first", "");
    ends(&output, 0, "ACCEPTED; from messages saved in first");
    assert!(text(&output).contains("- rollback: a file is compared with nothing"), "{}", text(&output));
    ends(&file("first", "--state audit"), 0, "ACCEPTED");
    ends(&file("second", "--state audit"), 0, "ACCEPTED");
    refused(&file("first", "--state audit --json"), &["reset-count-went-back"]);
}

/// Nobody has shown that the endorsement key in bare evidence is the sender's.
#[test]
fn bare_evidence_is_not_remembered() {
    let mut scene = Scene::good();
    let person = Person::of(&scene);
    scene.parts.reset_count = u32::MAX;
    std::fs::write(person.path("evidence"), to_canonical_json(&scene.evidence()).unwrap()).unwrap();
    let line = format!("--ek-roots roots --accept-level L1 --state state --nonce {}", scene.nonce);
    ends(&person.check("evidence", &line), 0, "ACCEPTED; at level L1");
    assert!(!person.path("state").exists());
    scene.parts.reset_count = 3;
    let served = serve_scene(scene);
    ends(&check(&person, &served, "--state state"), 0, "ACCEPTED");
    refused(&person.check("evidence", &format!("{line} --json")), &["boot-keys-survived-reset"]);
}

#[test]
fn another_tpm_at_the_same_address() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    ends(&check(&person, &served, ""), 0, "ACCEPTED");
    let other = Scene::good();
    std::fs::write(person.path("roots"), other.tpm.ca()).unwrap();
    change(&served, |scene| *scene = other);
    let output = check(&person, &served, "");
    ends(&output, 0, "ACCEPTED");
    assert!(text(&output).contains("first seen; another TPM answered at this address"), "{}", text(&output));
}

#[test]
fn listed_and_forgotten() {
    let (person, served) = start();
    ends(&person.run("state list"), 0, "0 servers in ");
    ends(&check(&person, &served, ""), 0, "ACCEPTED");
    let listed = text(&person.run("state list"));
    assert!(listed.starts_with("1 server in ") && listed.contains(&served.url) && listed.contains("3 resets"));
    change(&served, |scene| scene.parts.reset_count = 0);
    ends(&check(&person, &served, ""), 1, "REJECTED");
    cannot_judge(&person.run("state forget http://203.0.113.9:1"), "no such server");
    ends(&person.run(&format!("state forget {}/", served.url)), 0, "forgotten: ");
    ends(&check(&person, &served, ""), 0, "ACCEPTED");
    let list = json(&person.run("state list --json"));
    let id: ServerId = list["servers"].as_object().unwrap().keys().next().unwrap().parse().unwrap();
    ends(&person.run(&format!("state forget {id}")), 0, &format!("forgotten: {id}"));
    ends(&person.run("state list"), 0, "0 servers in ");
}

/// The other verbs remember as well.
#[test]
fn watching_and_configuring() {
    let (person, served) = start();
    served.inside.lock().unwrap().before = |inside: &mut Inside| {
        if inside.looks == 3 {
            inside.scene.parts.reset_count = 2;
        }
    };
    let line = format!("--server {} --statement statement --key key --ek-roots roots", served.url);
    let output = person.run(&format!("watch {line} --interval 1s --count 3"));
    let lines: Vec<String> = text(&output).lines().map(Into::into).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(1), 2), "{lines:?}");
    assert!(lines[1].ends_with("rejected V16 reset-count-went-back"), "{lines:?}");
    let output = person.run(&format!("wg-config {line} --generate --address 10.66.0.7/32"));
    ends(&output, 1, "REJECTED");
    assert!(!text(&output).contains("PrivateKey"));
}
