//! Revocations, statements with several signers, verdicts of rebuilds: made by the program, and judged by it.

mod mock;
mod person;

use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use mock::{Scene, SigningKey};
use person::{cannot_judge, ends, json, serve_scene, text, Person, Served};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::entry::Entry;
use vitrine_attest::predicate;
use vitrine_attest::rebuild_verdict::{Builder, Compared, RebuildVerdict};
use vitrine_attest::statement::Subject;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn named(seed: u8) -> NoteKey {
    NoteKey::new(&format!("example.org/key-{seed}"), secret(seed).verifying_key()).unwrap()
}

/// Release key 1 in `k1`, others in `k2` and so on.
fn start() -> (Person, Served) {
    let scene = Scene::good();
    let person = Person::of(&scene);
    for seed in [1, 2, 3, 9] {
        let file = person.path(&format!("k{seed}"));
        std::fs::write(&file, secret(seed).to_pkcs8_pem(Default::default()).unwrap().as_bytes()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    (person, serve_scene(scene))
}

fn check(person: &Person, served: &Served, more: &str) -> Output {
    person.check(&served.url, &format!("--ek-roots roots --no-state {more}"))
}

#[track_caller]
fn refused(person: &Person, served: &Served, more: &str, expected: &str) -> serde_json::Value {
    let output = check(person, served, &format!("--json {more}"));
    let report = json(&output);
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    let failed: Vec<String> =
        failed.map(|c| format!("{} {}", c["code"].as_str().unwrap(), c["reason"].as_str().unwrap())).collect();
    assert_eq!((output.status.code(), failed), (Some(1), vec![expected.to_string()]), "{report}");
    report
}

#[track_caller]
fn says(output: &Output, words: &str) {
    ends(output, 0, "ACCEPTED");
    assert!(text(output).contains(words), "{}", text(output));
}

fn revoke(person: &Person, more: &str) -> Output {
    person.run(&format!("revoke --statement statement --seq 1 {more}"))
}

fn policy(person: &Person, body: &str) {
    std::fs::write(person.path("policy"), format!("version = 1\n{body}")).unwrap();
}

fn quoted(seeds: &[u8]) -> String {
    seeds.iter().map(|seed| format!("\"{}\"", named(*seed))).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_revoked_release_is_refused() {
    let (person, served) = start();
    says(&check(&person, &served, ""), "no revocation list was given");
    assert!(text(&check(&person, &served, "")).contains("not revoked: no revocation list was given"));
    let made = revoke(&person, "--reason vulnerability --text use-1.3 --date 2026-11-22 --key-file k1 --out r.json");
    ends(&made, 0, "r.json: revokes exit 1.0, vitrine1:");
    assert_eq!(text(&made).lines().count(), 1, "{}", text(&made));
    let report = refused(&person, &served, "--revocation r.json", "V30 revoked");
    assert_eq!(report["grounds"], serde_json::json!(["statement"]));
    let detail = report["checks"].as_array().unwrap().iter().find(|check| check["code"] == "V30").unwrap();
    assert_eq!(detail["detail"], "vulnerability, 2026-11-22, signed by example.org/release: use-1.3");
    // in a folder, among others
    std::fs::create_dir(person.path("list")).unwrap();
    says(&check(&person, &served, "--revocation list"), "0 given, none of this release");
    std::fs::copy(person.path("r.json"), person.path("list/b.json")).unwrap();
    std::fs::write(person.path("list/README"), "no revocation").unwrap();
    refused(&person, &served, "--revocation list", "V30 revoked");
    // of another release
    served.inside.lock().unwrap().scene.configure(|config| config.wireguard.mtu = 1300);
    let other = Person::of(&served.inside.lock().unwrap().scene);
    std::fs::copy(person.path("r.json"), other.path("r.json")).unwrap();
    says(&check(&other, &served, "--revocation r.json"), "1 given, none of this release");
}

#[test]
fn only_release_keys_revoke() {
    let (person, served) = start();
    let made = revoke(&person, "--reason other --key-file k9 --out r.json");
    ends(&made, 0, "r.json: revokes");
    assert!(text(&made).contains("this key has not signed the release"), "{}", text(&made));
    says(&check(&person, &served, "--revocation r.json"), "1 ignored: signed by nobody who signs releases");
    // a second release key of the policy's may, alone
    policy(&person, &format!("[statement]\nkeys = [{}]\n", quoted(&[1, 9])));
    refused(&person, &served, "--policy policy --revocation r.json", "V30 revoked");
    policy(&person, &format!("[statement]\nkeys = [{}]\n", quoted(&[1, 2])));
    says(&check(&person, &served, "--policy policy --revocation r.json"), "1 ignored");
}

#[test]
fn what_cannot_be_understood_refuses() {
    let (person, served) = start();
    for (name, bytes) in [("empty", b"".to_vec()), ("release", std::fs::read(person.path("statement")).unwrap())] {
        std::fs::write(person.path(name), bytes).unwrap();
        let report = refused(&person, &served, &format!("--revocation {name}"), "V30 revocation-unreadable");
        assert!(report.to_string().contains(name), "{report}");
    }
    cannot_judge(&check(&person, &served, "--revocation nowhere"), "nowhere");
    // it hides no other one
    revoke(&person, "--reason mistake --key-file k1 --out r.json");
    refused(&person, &served, "--revocation empty --revocation r.json", "V30 revoked");
    // altered after signing: signed by nobody
    let mut envelope = Envelope::from_json(&std::fs::read(person.path("r.json")).unwrap()).unwrap();
    let text = String::from_utf8(envelope.payload).unwrap().replace("mistake", "other");
    envelope.payload = text.into_bytes();
    std::fs::write(person.path("altered"), envelope.to_json().unwrap()).unwrap();
    says(&check(&person, &served, "--revocation altered"), "1 ignored");
}

#[test]
fn one_statement_alone_is_revoked() {
    let (person, served) = start();
    let made = revoke(&person, "--reason mistake --key-file k1 --this-statement-only --out r.json");
    ends(&made, 0, "r.json: revokes statement ");
    refused(&person, &served, "--revocation r.json", "V30 revoked");
    // another one about the same image
    ends(&person.run("co-sign statement --key-file k2"), 0, "statement: signed the release exit 1.0");
    says(&check(&person, &served, "--revocation r.json"), "1 given, none of this release");
}

#[test]
fn revocations_that_are_not_written() {
    let (person, _served) = start();
    let long = "x".repeat(1025);
    cannot_judge(&revoke(&person, &format!("--reason other --text {long} --key-file k1 --out r")), "1025 bytes");
    assert_eq!(revoke(&person, "--reason boredom --key-file k1 --out r").status.code(), Some(2));
    assert_eq!(revoke(&person, "--reason other --date 2026-02-30 --key-file k1 --out r").status.code(), Some(2));
    std::fs::set_permissions(person.path("k2"), std::fs::Permissions::from_mode(0o644)).unwrap();
    cannot_judge(&revoke(&person, "--reason other --key-file k2 --out r"), "can be read by others");
    cannot_judge(&revoke(&person, "--reason other --key-file statement --out r"), "statement");
    assert!(!person.path("r").exists());
}

#[test]
fn so_many_of_the_keys_have_to_have_signed() {
    let (person, served) = start();
    let two = |keys: &[u8]| policy(&person, &format!("[statement]\nkeys = [{}]\nthreshold = 2\n", quoted(keys)));
    two(&[1, 2, 3]);
    let report = refused(&person, &served, "--policy policy", "V25 too-few-signers");
    assert!(report.to_string().contains("2 of 3 keys have to have signed it"), "{report}");
    let payload =
        |person: &Person| Envelope::from_json(&std::fs::read(person.path("statement")).unwrap()).unwrap().payload;
    let before = payload(&person);
    // a stranger does not count
    ends(
        &person.run("co-sign statement --key-file k9"),
        0,
        "statement: signed the release exit 1.0, sequence number 1",
    );
    refused(&person, &served, "--policy policy", "V25 too-few-signers");
    let signed = person.run("co-sign statement --key-file k3");
    ends(&signed, 0, "statement: signed the release exit 1.0");
    assert!(text(&signed).contains(&format!("now 3 signatures\npayload {}", Sha256::of(&before))), "{}", text(&signed));
    ends(&check(&person, &served, "--policy policy"), 0, "ACCEPTED");
    assert_eq!(payload(&person), before);
    // nobody signs twice, and a file that cannot be signed stays
    let bytes = std::fs::read(person.path("statement")).unwrap();
    cannot_judge(&person.run("co-sign statement --key-file k3"), "has signed it already");
    assert_eq!(std::fs::read(person.path("statement")).unwrap(), bytes);
    two(&[1, 2]);
    refused(&person, &served, "--policy policy", "V25 too-few-signers");
    // one key under two names is one
    let again = NoteKey::new("example.org/again", secret(1).verifying_key()).unwrap();
    policy(&person, &format!("[statement]\nkeys = [{}, \"{again}\"]\nthreshold = 2\n", quoted(&[1, 2])));
    refused(&person, &served, "--policy policy", "V25 too-few-signers");
    policy(&person, &format!("[statement]\nkeys = [{}, \"{again}\"]\nthreshold = 2\n", quoted(&[1])));
    let output = check(&person, &served, "--policy policy");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 of 1 different"));
}

/// As `rebuild` writes it.
fn verdict(person: &Person, name: &str, seed: u8, got: Sha256, expected: Sha256) {
    let differs = expected != got;
    let said = RebuildVerdict {
        statement: Sha256::of(&std::fs::read(person.path("statement")).unwrap()),
        image: Compared { expected, got },
        equal: !differs,
        first_difference: differs.then(|| "3-tree.txt".into()),
        builder: Builder { vitrine: "vitrine 1".into(), distribution: String::new(), kernel: String::new(), cores: 2 },
        date: "2026-11-22".parse().unwrap(),
    };
    let subject = vec![Subject::new("6-image.unsigned.efi", expected)];
    let signed = predicate::sign(subject, said, &secret(seed)).unwrap();
    std::fs::write(person.path(name), signed.to_json().unwrap()).unwrap();
}

#[test]
fn others_have_to_have_built_it_again() {
    let (person, served) = start();
    let (image, other) = (Sha256::ZERO, Sha256::of(b"another image"));
    verdict(&person, "two.json", 2, image, image);
    verdict(&person, "three.json", 3, image, image);
    verdict(&person, "nine.json", 9, image, image);
    verdict(&person, "elsewhere.json", 3, other, other);
    verdict(&person, "differs.json", 3, other, image);
    verdict(&person, "stranger-differs.json", 9, other, image);
    let wants = |keys: &[u8]| policy(&person, &format!("[rebuild]\nverdicts = 2\nkeys = [{}]\n", quoted(keys)));
    wants(&[2, 3]);
    let with = |names: &[&str]| {
        let given: Vec<String> = names.iter().map(|name| format!("--rebuild-verdict {name}")).collect();
        format!("--policy policy {}", given.join(" "))
    };
    says(
        &check(&person, &served, &with(&["two.json", "three.json"])),
        "built again by example.org/key-2, example.org/key-3",
    );
    for missing in [
        vec![],
        vec!["two.json"],
        vec!["two.json", "two.json"],
        vec!["two.json", "nine.json"],
        vec!["two.json", "elsewhere.json"],
        vec!["two.json", "nine.json", "stranger-differs.json"],
    ] {
        let report = refused(&person, &served, &with(&missing), "V31 rebuild-verdicts-missing");
        assert_eq!(report["grounds"], serde_json::json!(["policy"]));
    }
    let report = refused(&person, &served, &with(&["two.json", "three.json", "differs.json"]), "V31 rebuild-differs");
    assert!(report.to_string().contains("3-tree.txt"), "{report}");
    std::fs::write(person.path("empty.json"), "").unwrap();
    refused(&person, &served, &with(&["two.json", "three.json", "empty.json"]), "V31 rebuild-verdict-unreadable");
    // the release's own key is nobody else's, whatever the policy says
    verdict(&person, "own.json", 1, image, image);
    wants(&[1, 2]);
    refused(&person, &served, &with(&["two.json", "own.json"]), "V31 rebuild-verdicts-missing");
    // nothing is asked for: nothing is looked at
    ends(&check(&person, &served, "--rebuild-verdict differs.json"), 0, "ACCEPTED");
}

/// A script in the builder's place, for exit codes and arguments only. That the real one builds the same image is tried by
/// hand: docs/formats/statement.md.
mod fake_builder {
    use super::*;

    /// Release of `image bytes` with `lock`; the script writes `$IMAGE`.
    fn start(script: &str) -> Person {
        let mut scene = Scene::good();
        scene.statement.subject = vec![Subject::new("6-image.unsigned.efi", Sha256::of(b"the image\n"))];
        scene.statement.predicate.image.lock = Sha256::of(b"lock\n");
        let person = Person::of(&scene);
        std::fs::write(person.path("lock"), "lock\n").unwrap();
        std::fs::write(person.path("k5"), secret(5).to_pkcs8_pem(Default::default()).unwrap().as_bytes()).unwrap();
        std::fs::set_permissions(person.path("k5"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo vitrine 9; exit 0; }}\n\
             echo \"$@\" >> arguments\nfor out; do :; done\n{script}\n"
        );
        std::fs::write(person.path("builder"), text).unwrap();
        std::fs::set_permissions(person.path("builder"), std::fs::Permissions::from_mode(0o755)).unwrap();
        person
    }

    fn rebuild(person: &Person, more: &str) -> Output {
        person.run(&format!(
            "rebuild statement --recipe recipe --lock lock --builder ./builder --key-file k5 --out v.json {more}"
        ))
    }

    fn said(person: &Person) -> RebuildVerdict {
        let envelope = Envelope::from_json(&std::fs::read(person.path("v.json")).unwrap()).unwrap();
        predicate::verify(&envelope, &secret(5).verifying_key()).unwrap().predicate
    }

    #[test]
    fn the_same_image() {
        let person = start("mkdir -p \"$out\"; echo the image > \"$out/6-image.unsigned.efi\"");
        ends(&rebuild(&person, "--programs p -- --offline --set a=b"), 0, "the same image: 6-image.unsigned.efi");
        let verdict = said(&person);
        assert!(verdict.equal && verdict.builder.vitrine == "vitrine 9" && verdict.builder.cores > 0);
        assert_eq!(verdict.statement, Sha256::of(&std::fs::read(person.path("statement")).unwrap()));
        let arguments = std::fs::read_to_string(person.path("arguments")).unwrap();
        let expected = "build recipe --lock lock --programs p --offline --set a=b --unsigned --out ";
        let out = arguments.strip_prefix(expected).unwrap_or_else(|| panic!("{arguments}")).trim_end();
        assert!(!std::path::Path::new(out).exists(), "{out} was left");
        let envelope = Envelope::from_json(&std::fs::read(person.path("v.json")).unwrap()).unwrap();
        assert!(matches!(Entry::of(&envelope), Ok(Entry::RebuildVerdict(_))));
    }

    #[test]
    fn another_image() {
        let script = "[ \"$1\" = build ] || { echo '{\"file\":\"4-screen.json\"}'; exit 1; }\n\
                      mkdir -p \"$out\"; echo other > \"$out/6-image.unsigned.efi\"";
        let person = start(script);
        ends(&rebuild(&person, ""), 1, "another image: 6-image.unsigned.efi expected ");
        assert_eq!((said(&person).equal, said(&person).first_difference), (false, None));
        ends(&rebuild(&person, "--keep kept --against theirs"), 1, "another image");
        assert_eq!(said(&person).first_difference.as_deref(), Some("4-screen.json"));
        assert!(person.path("kept/6-image.unsigned.efi").exists());
        assert!(std::fs::read_to_string(person.path("arguments")).unwrap().contains("--json diff theirs kept"));
    }

    #[test]
    fn nothing_that_could_be_judged() {
        let person = start("echo no network >&2; exit 1");
        let output = rebuild(&person, "");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("no network") && errors.contains("could not be built"), "{errors}");
        let nothing = start(":");
        cannot_judge(&rebuild(&nothing, "--keep kept"), "kept/6-image.unsigned.efi");
        std::fs::remove_file(person.path("builder")).unwrap();
        cannot_judge(&rebuild(&person, ""), "install `vitrine`");
        std::fs::write(person.path("lock"), "another lock").unwrap();
        let output = rebuild(&person, "");
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("lock is not the release's lock"));
        for person in [&person, &nothing] {
            assert!(!person.path("v.json").exists(), "a verdict was signed");
        }
    }
}
