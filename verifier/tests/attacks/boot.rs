//! The boot, its logs and the release: V18 to V21, V23.

use crate::mock::{Scene, SigningKey};
use crate::{failures, refused, report, sent, staged};
use vitrine_attest::pcr::Pcr;
use vitrine_attest::Sha256;
use vitrine_verifier::case::Inputs;
use vitrine_verifier::promise::Promise;

#[test]
fn v18_altered_logs() {
    let broken = ["V18 log-malformed", "V19 not-reached", "V20 not-reached"];
    sent(|e| e.firmware_log.truncate(200), &broken);
    sent(|e| e.firmware_log.clear(), &broken);
    // a separator whose text was changed under its digest, in the log of a machine that measured it
    staged(
        |s| {
            s.measure_raw(4, 4, Sha256::of(&[0; 4]), &[1; 4]);
            s.predict_from_log();
        },
        &["V18 event-data-altered"],
    );
}

/// A predicted event under another type, whose data need not fit its digest: the replay is right, the story is not.
#[test]
fn v18_relabelled_events() {
    let relabel = |pcr: u8, kind: u32| {
        let scene = Scene::good();
        let mut evidence = scene.evidence();
        let at = event_of(&evidence.firmware_log, pcr);
        evidence.firmware_log[at + 4..at + 8].copy_from_slice(&kind.to_le_bytes());
        scene.inputs_of(evidence)
    };
    for (pcr, kind) in [(4, 0x0d), (4, 0x8000_0004), (7, 0x0d), (7, 0x8000_0002), (9, 0x8000_0003), (11, 0x8000_0003)] {
        refused(relabel(pcr, kind), &["V18 event-kind-altered"]);
    }
    // another kind that stubs and kernels use for this event
    assert_eq!(failures(&report(relabel(9, 6))), [""; 0]);
}

/// Where the first event of this register begins.
fn event_of(log: &[u8], pcr: u8) -> usize {
    let log = vitrine_attest::event_log::EventLog::parse(log).unwrap();
    log.events.iter().find(|event| event.pcr == u32::from(pcr)).unwrap().offset
}

#[test]
fn v19_a_log_that_leaves_something_out() {
    let mut scene = Scene::good();
    let clean = scene.firmware_log.clone();
    scene.measure(12, "EVIL=1");
    let mut evidence = scene.evidence();
    evidence.firmware_log = clean;
    refused(scene.inputs_of(evidence), &["V15 pcr-digest-differs", "V19 replay-differs"]);
}

#[test]
fn v19_events_relabelled_as_informative() {
    let mut scene = Scene::good();
    scene.measure(9, "another initramfs");
    let mut evidence = scene.evidence();
    let at = evidence.firmware_log.len() - (8 + 6 + 32 + 4 + 17) + 4;
    evidence.firmware_log[at..at + 4].copy_from_slice(&3u32.to_le_bytes());
    refused(scene.inputs_of(evidence), &["V15 pcr-digest-differs", "V19 replay-differs"]);
}

#[test]
fn v20_another_boot() {
    for (pcr, reason) in [
        (4, "V20 pcr-4-differs"),
        (7, "V20 pcr-7-differs"),
        (9, "V20 pcr-9-differs"),
        (11, "V20 pcr-11-differs"),
        (12, "V20 pcr-12-not-zero"),
        (13, "V20 pcr-13-not-zero"),
        (14, "V20 pcr-14-not-zero"),
    ] {
        staged(|s| s.measure(pcr, "EVIL=1"), &["V15 pcr-digest-differs", reason]);
    }
}

#[test]
fn v20_statements_that_predict_too_little() {
    staged(
        |s| s.statement.predicate.boot.pcrs.0.retain(|&pcr, _| pcr != Pcr::KERNEL_INPUTS),
        &["V15 not-reached", "V20 prediction-incomplete"],
    );
    staged(
        |s| s.statement.predicate.boot.pcrs.0.extend([(Pcr::RUNTIME, Sha256::ZERO)]),
        &["V20 prediction-incomplete"],
    );
    staged(
        |s| {
            s.measure(12, "EVIL=1");
            s.predict_from_log();
        },
        &["V20 prediction-not-zero"],
    );
}

#[test]
fn v21_statements() {
    let without_release = [
        "V11 not-reached",
        "V15 not-reached",
        "V20 not-reached",
        "V21 statement-signature-invalid",
        "V22 not-reached",
        "V23 not-reached",
    ];
    let scene = Scene::good();
    let mut altered = scene.envelope();
    altered.payload[40] ^= 1;
    let promise = Promise::new(altered, scene.key()).into();
    refused(Inputs { promise, ..scene.inputs() }, &without_release);
    let other = Scene { release_key: SigningKey::from_bytes(&[7; 32]), ..Scene::good() };
    let promise = Promise::new(scene.envelope(), other.key()).into();
    refused(Inputs { promise, ..scene.inputs() }, &without_release);
    staged(
        |s| s.statement.predicate.fingerprint = vitrine_attest::fingerprint::Fingerprint(Sha256::ZERO),
        &["V21 statement-inconsistent"],
    );
    staged(
        |s| s.statement.predicate.config.forward = vitrine_attest::config::Forward::None,
        &["V21 statement-inconsistent"],
    );
    staged(|s| s.statement.predicate.not_after = Some("2020-01-01".into()), &["V21 statement-expired"]);
    staged(|s| s.statement.predicate.not_after = Some("soon".into()), &["V21 statement-inconsistent"]);
}

#[test]
fn v23_dev_images_and_other_releases() {
    staged(|s| s.image_id = "dev 1.0 x".into(), &["V23 dev-image"]);
    staged(|s| s.image_id = "dev-exit 1.0 x".into(), &["V23 dev-image"]);
    // everything agrees, but the release is a development one
    staged(
        |s| {
            s.statement.predicate.image.name = "dev".into();
            s.image_id = s.image_id.replacen("exit", "dev", 1);
        },
        &["V23 dev-image"],
    );
    staged(|s| s.statement.predicate.image.name = "dev-exit".into(), &["V23 dev-image"]);
    staged(|s| s.statement.predicate.image.version = "0.9".into(), &["V23 image-differs"]);
}
