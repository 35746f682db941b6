//! One change to an accepted check at a time: the verdict must be "rejected", with exactly this reason code.

mod boot;
mod form;
mod limits;
#[path = "../mock/mod.rs"]
mod mock;
mod quote;
mod remembered;
mod runtime;

use mock::{Parts, Scene};
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::Sha256;
use vitrine_verifier::case::Inputs;
use vitrine_verifier::outcome::Status;
use vitrine_verifier::report::{judge, Report};
use vitrine_verifier::verdict::{Level, Verdict};

fn report(inputs: Inputs) -> Report {
    judge(inputs, Level::L2).1
}

/// `V08 signature-invalid` for each failed check.
fn failures(report: &Report) -> Vec<String> {
    let failed = report.checks.iter().filter(|check| check.status == Status::Failed);
    failed.map(|check| format!("{} {}", check.code, check.reason.unwrap())).collect()
}

#[track_caller]
fn refused(inputs: Inputs, expected: &[&str]) {
    let report = report(inputs);
    assert_eq!(failures(&report), expected);
    assert_eq!((report.verdict, report.level, report.keys), (Verdict::Rejected, None, None));
}

/// Changes what the TPM signs.
#[track_caller]
fn signed(change: impl FnOnce(&mut Parts), expected: &[&str]) {
    let mut scene = Scene::good();
    change(&mut scene.parts);
    refused(scene.inputs(), expected);
}

/// Changes the evidence after it was signed.
#[track_caller]
fn sent(change: impl FnOnce(&mut Evidence), expected: &[&str]) {
    let scene = Scene::good();
    let mut evidence = scene.evidence();
    change(&mut evidence);
    refused(scene.inputs_of(evidence), expected);
}

/// Changes the scene before anything is made.
#[track_caller]
fn staged(change: impl FnOnce(&mut Scene), expected: &[&str]) {
    let mut scene = Scene::good();
    change(&mut scene);
    refused(scene.inputs(), expected);
}

#[test]
fn the_unchanged_scene_is_accepted() {
    let report = report(Scene::good().inputs());
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!((report.verdict, report.level), (Verdict::Accepted, Some(Level::L2)));
    let keys = report.keys.unwrap();
    assert_eq!((keys.wireguard, keys.boot, keys.generation), (Key32([0x57; 32]), Key32([0x57; 32]), 0));
    assert_eq!((keys.ports, keys.tls_spki), (vec![51820], Sha256::of(b"the TLS key of the boot")));
    assert!(report.checks.iter().all(|check| check.status == Status::Passed));
}

/// Every single byte of the evidence matters, or is refused: no altered evidence is accepted.
#[test]
fn no_flipped_byte_is_accepted() {
    let scene = Scene::good();
    let good = scene.inputs();
    // JSON has several spellings of some bytes; the transcript of V06 covers them all
    for at in (0..good.exchange.evidence.len()).step_by(7) {
        let mut inputs = scene.inputs();
        inputs.exchange = good.exchange.clone();
        inputs.exchange.evidence[at] ^= 1;
        assert_eq!(report(inputs).verdict, Verdict::Rejected, "byte {at}");
    }
}
