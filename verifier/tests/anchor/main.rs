//! Anchors (feature `anchors`), with the command itself. `vectors` holds answers of a local chain and a timestamp that the usual
//! library finished; `ANCHORS_VECTORS=… make anchors` makes them anew.

mod calendar;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitrine_attest::digest::unhex;
use vitrine_attest::merkle::consistent;
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::Sha256;
use vitrine_verifier::anchor::evm::header::Header;
use vitrine_verifier::anchor::evm::proof::StateProof;
use vitrine_verifier::anchor::evm::{origin, Address, Artefact, BlockHash};
use vitrine_verifier::anchor::ots::OtsFile;

fn vector(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/anchor/vectors").join(name).to_str().unwrap().into()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(vector(name)).unwrap()
}

fn verify(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine-verify")).args(args).env("COLUMNS", "80").output().unwrap()
}

/// What it says, when it ends with this code.
fn ends(code: i32, args: &[&str]) -> String {
    let output = verify(args);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

/// `--contract A --publisher P --block-hash H`, as kept.
fn place() -> Vec<String> {
    String::from_utf8(bytes("place")).unwrap().split_whitespace().map(String::from).collect()
}

fn evm_check(code: i32, checkpoint: &str, change: &[(&str, &str)]) -> String {
    let mut args = vec!["anchor".into(), "evm-check".into(), vector(checkpoint)];
    args.extend(place());
    args.extend(["--header".into(), vector("header.json"), "--proof".into(), vector("proof.json")]);
    for (option, value) in change {
        match args.iter().position(|arg| arg == option) {
            Some(at) => args[at + 1] = (*value).into(),
            None => args.extend([(*option).into(), (*value).into()]),
        }
    }
    ends(code, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_head_on_a_chain() {
    let said = evm_check(0, "checkpoint", &[("--key", &vector("log.pub"))]);
    assert!(said.contains("1025 entries") && said.contains("what a server runs") && !said.contains("--key"), "{said}");
    assert!(evm_check(0, "checkpoint", &[]).contains("give --key"));
    assert!(evm_check(1, "older", &[]).contains("--log"));
    assert!(evm_check(1, "split", &[]).contains("two trees of one size"));
    let zero = format!("0x{}", "0".repeat(40));
    assert!(evm_check(1, "checkpoint", &[("--publisher", &zero)]).contains("other publisher"));
    evm_check(1, "checkpoint", &[("--contract", &zero)]);
    evm_check(1, "checkpoint", &[("--block-hash", &format!("0x{}", "0".repeat(64)))]);
    evm_check(1, "checkpoint", &[("--header", &vector("proof.json"))]);
    evm_check(1, "checkpoint", &[("--proof", &vector("header.json"))]);
    evm_check(2, "checkpoint", &[("--proof", "/no/such")]);
    evm_check(2, "checkpoint", &[("--block-hash", "0x00")]);
}

/// The same through the library, with each digit of each node changed in turn.
#[test]
fn no_digit_of_a_proof_may_differ() {
    let place = place();
    let block: BlockHash = place[5].parse().unwrap();
    let (contract, publisher): (Address, Address) = (place[1].parse().unwrap(), place[3].parse().unwrap());
    let header = Header::of_block(&bytes("header.json"), &block).unwrap();
    let code = Artefact::ours().unwrap().code_hash().unwrap();
    let log = origin("log.example/anchored");
    let text = String::from_utf8(bytes("proof.json")).unwrap();
    let head = |text: &str| StateProof::parse(text.as_bytes())?.head(&header, &contract, &code, &publisher, &log);
    assert_eq!(head(&text).unwrap().size, 1025);
    let mut changed = 0;
    for (at, node) in text.match_indices("\"0xf8").chain(text.match_indices("\"0xf9")) {
        let end = at + 1 + text[at + 1..].find('"').unwrap();
        for digit in (at + node.len()..end).step_by(3) {
            let other = if &text[digit..=digit] == "0" { "1" } else { "0" };
            let bad = format!("{}{other}{}", &text[..digit], &text[digit + 1..]);
            assert!(head(&bad).is_err(), "digit {digit}");
            changed += 1;
        }
    }
    assert!(changed > 300, "{changed}");
}

#[test]
fn a_timestamp_in_bitcoin() {
    let (stamp, file, header) = (vector("checkpoint.ots"), vector("stamped"), vector("bitcoin-header"));
    let check = |code, header: &str, more: &[&str]| {
        ends(code, &[&["anchor", "ots-check", &stamp, &file, "--block-header", header], more].concat())
    };
    assert!(check(0, &header, &["--height", "840000"]).contains("existed by 2025-11-20T00:53:20Z"));
    check(1, &header, &["--height", "840001"]);
    let mut digits = vitrine_attest::digest::hex(&bytes("bitcoin-header"));
    check(0, &digits, &[]);
    check(0, &"0".repeat(160), &["--block-header", &header]);
    digits.replace_range(100..102, "00");
    check(1, &digits, &[]);
    check(2, &digits[2..], &[]);
    check(2, &header, &["--block-header", &header, "--height", "1"]);
    ends(1, &["anchor", "ots-check", &stamp, &vector("checkpoint"), "--block-header", &header]);
    let folder = tempfile::tempdir().unwrap();
    let spoilt = folder.path().join("spoilt.ots");
    let good = bytes("checkpoint.ots");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&spoilt, &bad).unwrap();
        let parsed = OtsFile::parse(&bad);
        let root = &bytes("bitcoin-header")[36..68];
        let leads = parsed.is_ok_and(|file| {
            let same = file.digest == Sha256::of(&bytes("stamped"));
            same && file.attestations().iter().any(|a| a.message.as_deref() == Some(root) && *a.by == ots_height())
        });
        assert!(!leads, "byte {at}");
    }
    ends(1, &["anchor", "ots-check", spoilt.to_str().unwrap(), &file, "--block-header", &header, "--height", "840000"]);
}

fn ots_height() -> vitrine_verifier::anchor::ots::Attestation {
    vitrine_verifier::anchor::ots::Attestation::Bitcoin(840_000)
}

/// A log of this many entries, and its checkpoint.
fn grown(folder: &Path, from: u64, to: u64) -> PathBuf {
    let (log, lines) = (folder.join("log"), folder.join("lines"));
    let text: String = (from..to).map(|n| format!("entry {n}\n")).collect();
    std::fs::write(&lines, text).unwrap();
    if from == 0 {
        ends(0, &["log", "init", log.to_str().unwrap(), "--origin", "log.example/a"]);
    }
    ends(0, &["log", "append", log.to_str().unwrap(), "--lines", lines.to_str().unwrap()]);
    let checkpoint = folder.join(format!("at-{to}"));
    std::fs::copy(log.join("public/checkpoint"), &checkpoint).unwrap();
    checkpoint
}

fn words(call: &str) -> Vec<Sha256> {
    let bytes = unhex(call.trim().strip_prefix("0x14017c31").unwrap()).unwrap();
    bytes.chunks(32).map(|word| Sha256(word.try_into().unwrap())).collect()
}

/// A call has the proof that leads from the old root to the new one; a checkpoint that the log has not signed gives none.
#[test]
fn calls_carry_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").to_str().unwrap().to_owned();
    let checkpoints = [(0, 1), (1, 6), (6, 7), (7, 300)].map(|(from, to)| (to, grown(folder.path(), from, to)));
    let root = |path: &Path| {
        let note = Note::parse(&std::fs::read(path).unwrap()).unwrap();
        Checkpoint::parse(note.text()).unwrap().root
    };
    let call = |code, path: &Path, old: u64| {
        ends(code, &["anchor", "evm-call", path.to_str().unwrap(), "--log", &log, "--old", &old.to_string()])
    };
    for (new, path) in &checkpoints {
        assert_eq!(words(&call(0, path, 0)).len(), 6, "the first head takes no proof");
        call(2, path, *new);
        for (old, before) in checkpoints.iter().filter(|(old, _)| old < new) {
            let words = words(&call(0, path, *old));
            assert_eq!((words[0], words[3]), (Sha256(origin("log.example/a")), root(path)));
            assert!(consistent((*old, root(before)), (*new, root(path)), &words[6..]), "{old} to {new}");
        }
    }
    let unsigned = folder.path().join("unsigned");
    let text = std::fs::read_to_string(&checkpoints[3].1).unwrap().replacen("\n300\n", "\n299\n", 1);
    std::fs::write(&unsigned, text).unwrap();
    call(1, &unsigned, 1);
    ends(
        2,
        &["anchor", "evm-call", checkpoints[1].1.to_str().unwrap(), "--log", &format!("{log}/public"), "--old", "1"],
    );
}

/// Help texts: golden, narrow, and with an example. `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn help_is_as_it_was() {
    for verb in ["", "ots-export", "ots-add", "ots-check", "evm-deploy", "evm-call", "evm-query", "evm-check"] {
        let help = match verb {
            "" => ends(0, &["anchor", "--help"]),
            verb => ends(0, &["anchor", verb, "--help"]),
        };
        let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{verb}: {long:?}");
        assert!(verb.is_empty() || help.contains("Example:"), "{verb}");
        let name = format!("anchor{}{verb}.txt", if verb.is_empty() { "" } else { "-" });
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &help).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help, golden, "{verb}: if you meant to change it, run again with UPDATE_GOLDEN=1");
    }
}
