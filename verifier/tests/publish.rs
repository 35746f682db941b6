//! Publishing: what is refused, that it can be run again, and that what it writes is what `check` wants.

mod mock;

use mock::{Scene, SigningKey};
use std::path::PathBuf;
use std::process::{Command, Output};
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::statement::{Statement, Subject};
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

const IMAGE: &[u8] = b"an image";

struct Operator {
    folder: tempfile::TempDir,
    statement: Statement,
}

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

impl Operator {
    fn new() -> Self {
        let mut statement = Scene::good().statement;
        statement.subject = vec![Subject::new("6-image.unsigned.efi", Sha256::of(IMAGE))];
        let operator = Self { folder: tempfile::tempdir().unwrap(), statement };
        std::fs::create_dir(operator.path("out")).unwrap();
        std::fs::write(operator.path("out/6-image.unsigned.efi"), IMAGE).unwrap();
        for seed in [1, 2] {
            let key = NoteKey::new(&format!("example.org/release-{seed}"), secret(seed).verifying_key()).unwrap();
            std::fs::write(operator.path(&format!("k{seed}.pub")), format!("{key}\n")).unwrap();
        }
        assert!(operator.run("log init log --origin log.example/vitrine").status.success());
        operator.state(&[1]);
        operator
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"));
        command.args(line.split(' ')).current_dir(self.folder.path()).output().unwrap()
    }

    /// Signs the statement anew, as a build does.
    fn state(&self, by: &[u8]) {
        let mut envelopes: Vec<Envelope> =
            by.iter().map(|seed| dsse::sign(&self.statement, &secret(*seed)).unwrap()).collect();
        let mut envelope = envelopes.remove(0);
        envelope.signatures.extend(envelopes.into_iter().flat_map(|other| other.signatures));
        std::fs::write(self.path("out/release.dsse.json"), envelope.to_json().unwrap()).unwrap();
    }

    fn publish(&self, more: &str) -> Output {
        self.run(format!("publish out --log log --key k1.pub {more}").trim())
    }

    #[track_caller]
    fn refused(&self, more: &str, code: i32, words: &str) {
        let before = std::fs::read(self.path("log/public/checkpoint")).unwrap();
        let proof = std::fs::read(self.path("out/release.tlog-proof")).ok();
        let output = self.publish(more);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(words) && told.lines().count() >= 2, "{told}");
        assert_eq!(std::fs::read(self.path("log/public/checkpoint")).unwrap(), before, "something was appended");
        assert_eq!(std::fs::read(self.path("out/release.tlog-proof")).ok(), proof);
    }

    #[track_caller]
    fn done(&self, more: &str) -> String {
        let output = self.publish(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn twice_is_once() {
    let operator = Operator::new();
    assert!(operator.done("").contains("release.dsse.json is entry 0 of log.example/vitrine\n"));
    let proof = std::fs::read(operator.path("out/release.tlog-proof")).unwrap();
    assert!(operator.done("").contains("is entry 0 of log.example/vitrine, as before"));
    assert_eq!(std::fs::read(operator.path("out/release.tlog-proof")).unwrap(), proof);
    let parsed = Proof::parse(&proof).unwrap();
    let key: NoteKey = std::fs::read_to_string(operator.path("log/log.pub")).unwrap().trim().parse().unwrap();
    let entry = std::fs::read(operator.path("out/release.dsse.json")).unwrap();
    parsed.check(&entry, &[key]).unwrap();
    let told: serde_json::Value = serde_json::from_str(&operator.done("--json")).unwrap();
    assert_eq!(
        (told["entries"][0]["index"].as_u64(), told["entries"][0]["duplicate"].as_bool()),
        (Some(0), Some(true))
    );
}

#[test]
fn later_releases_have_greater_numbers() {
    let mut operator = Operator::new();
    operator.statement.predicate.seq = 5;
    operator.state(&[1]);
    operator.done("");
    operator.statement.predicate.cmdline.push_str(" debug");
    operator.state(&[1]);
    operator.refused("", 1, "with the sequence number 5, and this release has 5");
    operator.statement.predicate.seq = 4;
    operator.state(&[1]);
    operator.refused("", 1, "this release has 4");
    operator.statement.predicate.seq = 6;
    operator.state(&[1]);
    assert!(operator.done("").contains("is entry 1"));
    // another name has numbers of its own
    operator.statement.predicate.image.name = "other".into();
    operator.statement.predicate.seq = 1;
    operator.state(&[1]);
    assert!(operator.done("").contains("is entry 2"));
}

#[test]
fn signers() {
    let mut operator = Operator::new();
    operator.state(&[2]);
    operator.refused("", 1, "1 of 1 keys");
    operator.state(&[1]);
    operator.refused("--key k2.pub --threshold 2", 1, "2 of 2 keys");
    operator.refused("--threshold 2", 2, "cannot be asked for");
    operator.done("");
    // signed by one more, it is the same statement, and another entry
    operator.state(&[1, 2]);
    assert!(operator.done("--key k2.pub --threshold 2").contains("is entry 1"));
    operator.statement.predicate.seq += 1;
    operator.state(&[1, 1]);
    operator.refused("--key k2.pub --threshold 2", 1, "2 of 2 keys");
}

#[test]
fn what_lies_there_has_to_fit() {
    let mut operator = Operator::new();
    std::fs::write(operator.path("out/6-image.unsigned.efi"), b"another image").unwrap();
    operator.refused("", 1, "is not the image of the statement");
    std::fs::remove_file(operator.path("out/6-image.unsigned.efi")).unwrap();
    operator.refused("", 2, "6-image.unsigned.efi");
    std::fs::write(operator.path("out/6-image.unsigned.efi"), IMAGE).unwrap();
    operator.statement.predicate.not_after = Some("2020-02-29".into());
    operator.state(&[1]);
    operator.refused("", 2, "2020-02-29");
    operator.statement.predicate.not_after = None;
    operator.statement.predicate.cmdline = "x".repeat(70_000);
    operator.state(&[1]);
    operator.refused("", 2, "more than the 65535 of an entry");
    std::fs::write(operator.path("out/release.dsse.json"), b"{}").unwrap();
    operator.refused("", 2, "release.dsse.json");
    std::fs::remove_file(operator.path("out/release.dsse.json")).unwrap();
    operator.refused("", 2, "release.dsse.json");
}

/// The customers' policy names a witness whom the log does not have: the entry is there, and no proof is written that they would refuse.
#[test]
fn a_proof_that_customers_would_refuse_is_not_written() {
    let operator = Operator::new();
    let key = std::fs::read_to_string(operator.path("log/log.pub")).unwrap();
    let witness =
        NoteKey::of_kind(vitrine_attest::vkey::Kind::Cosignature, "witness.example/w", secret(7).verifying_key())
            .unwrap();
    std::fs::write(operator.path("policy"), format!("log {key}witness w {witness}\nquorum w\n")).unwrap();
    let output = operator.publish("--log-policy policy");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not what your customers demand"));
    assert!(!operator.path("out/release.tlog-proof").exists());
    std::fs::write(operator.path("policy"), format!("log {key}quorum none\n")).unwrap();
    assert!(operator.done("--log-policy policy").contains("as before"));
}
