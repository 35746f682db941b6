//! What PID 1 recorded, the fuse, keys made later: V22.

use crate::mock;
use crate::mock::{Scene, SigningKey};
use crate::{failures, refused, report, sent, staged};
use vitrine_attest::boot::BootKeys;
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;
use vitrine_verifier::report::judge;
use vitrine_verifier::verdict::{Level, Verdict};

#[test]
fn v22_runtime_log() {
    let expected = ["V19 replay-differs", "V20 pcr-15-differs", "V22 runtime-log-differs"];
    sent(|e| drop(e.runtime_log.pop()), &expected);
    sent(|e| e.runtime_log.push(e.runtime_log[2].clone()), &expected);
    sent(|e| e.runtime_log[1].digest = Sha256::ZERO, &expected);
    sent(|e| e.runtime_log[1].pcr = 23, &["V22 runtime-log-differs"]);
    sent(|e| e.runtime_log[1].body.push(0), &["V22 runtime-keys-differ"]);
    sent(|e| e.runtime_log.swap(0, 2), &["V19 replay-differs", "V20 pcr-15-differs", "V22 runtime-config-differs"]);
}

/// What the server's own watch found is a rejection that says so, and cannot be hidden, renamed or taken back.
#[test]
fn the_fuse_is_blown() {
    for rule in Rule::ALL {
        let mut scene = Scene::good();
        scene.violation = Some(*rule);
        let (case, report) = judge(scene.inputs(), Level::L2);
        assert_eq!(failures(&report), ["V15 pcr-digest-differs", "V20 pcr-14-not-zero"], "{rule:?}");
        assert_eq!((report.verdict, report.keys.is_none()), (Verdict::Rejected, true));
        let words = format!("{} (rule {})", rule.found(), rule.id());
        let check = report.checks.iter().find(|check| check.code == "V20").unwrap();
        assert!(check.detail.contains(&words), "{}", check.detail);
        let remark = vitrine_verifier::explanation::explain(&case).remark;
        assert!(remark.contains(&words) && remark.contains("reboot"), "{remark}");
    }
}

#[test]
fn a_blown_fuse_cannot_be_hidden() {
    let sent = |change: fn(&mut Evidence), expected: &[&str]| {
        let scene = Scene { violation: Some(Rule::Sockets), ..Scene::good() };
        let mut evidence = scene.evidence();
        change(&mut evidence);
        refused(scene.inputs_of(evidence), expected);
    };
    sent(|e| drop(e.runtime_log.pop()), &["V15 pcr-digest-differs", "V19 replay-differs"]);
    let other = ["V15 pcr-digest-differs", "V19 replay-differs", "V20 pcr-14-not-zero"];
    sent(|e| e.runtime_log[3] = Rule::Blind.event(), &other);
    let twice = ["V15 pcr-digest-differs", "V19 replay-differs", "V20 pcr-14-not-zero", "V22 runtime-log-differs"];
    sent(|e| e.runtime_log.push(Rule::Sockets.event()), &twice);
    sent(
        |e| e.runtime_log[3].pcr = 15,
        &["V15 pcr-digest-differs", "V19 replay-differs", "V20 pcr-15-differs", "V22 runtime-log-differs"],
    );
    let nameless = ["V15 pcr-digest-differs", "V20 pcr-14-not-zero", "V22 runtime-log-differs"];
    sent(|e| e.runtime_log[3].body = b"nothing".to_vec(), &nameless);
    sent(|e| e.runtime_log.rotate_right(1), &nameless);
}

/// A clean server cannot be made to look blown by its own agent without being refused for it.
#[test]
fn an_invented_violation_is_refused_as_well() {
    sent(|e| e.runtime_log.push(Rule::Files.event()), &["V19 replay-differs", "V20 pcr-14-not-zero"]);
}

#[test]
fn v22_another_configuration_or_an_unsealed_boot() {
    staged(
        |s| s.record.config_digest = Sha256::of(b"another configuration"),
        &["V11 extra-data-differs", "V15 pcr-digest-differs", "V20 pcr-15-differs", "V22 runtime-config-differs"],
    );
    let expected = ["V15 pcr-digest-differs", "V20 pcr-15-differs", "V22 runtime-facts-differ"];
    staged(|s| s.record.facts.block_devices.push("sda".into()), &expected);
    staged(|s| s.record.facts.modules_locked = false, &expected);
    staged(|s| s.record.facts.root_read_only = false, &expected);
    staged(|s| s.record.facts.swap.push("/dev/sda1".into()), &expected);
    // the keys were made by somebody else than this attestation key's TPM
    staged(|s| s.record.ak_name[5] ^= 1, &["V15 pcr-digest-differs", "V20 pcr-15-differs", "V22 runtime-keys-differ"]);
}

#[test]
fn rotated_keys_are_accepted_and_the_newest_is_shown() {
    let mut scene = Scene::rotating();
    assert_eq!(report(scene.inputs()).keys.unwrap().generation, 0);
    scene.rotated = vec![scene.later_key(1)];
    let keys = report(scene.inputs()).keys.unwrap();
    assert_eq!((keys.wireguard, keys.generation, keys.ports), (Key32([0x61; 32]), 1, vec![51821]));
    scene.rotated = vec![scene.later_key(1), scene.later_key(2)];
    let keys = report(scene.inputs()).keys.unwrap();
    assert_eq!((keys.wireguard, keys.generation, keys.ports), (Key32([0x62; 32]), 2, vec![51820]));
    assert_eq!(keys.boot, Key32([0x57; 32]));
}

/// What PID 1 signs and the TPM quotes, wrong in one point each.
#[test]
fn v22_rotated_keys() {
    let with = |rotated: &dyn Fn(&Scene) -> Vec<RotatedKey>, reason: &str| {
        let mut scene = Scene::rotating();
        scene.rotated = rotated(&scene);
        refused(scene.inputs(), &[reason]);
    };
    with(&|s| vec![RotatedKey { wg_pub: Key32([9; 32]), ..s.later_key(1) }], "V22 rotation-signature-invalid");
    with(&|s| vec![RotatedKey { generation: 2, ..s.later_key(1) }], "V22 rotation-signature-invalid");
    with(&|s| vec![RotatedKey { signature: [0; 64], ..s.later_key(1) }], "V22 rotation-signature-invalid");
    let sign =
        |digest: &Sha256, keys: &BootKeys, by: SigningKey| RotatedKey::sign(1, Key32([9; 32]), digest, keys, &by);
    let stranger = || SigningKey::from_bytes(&[9; 32]);
    with(&|s| vec![sign(&s.record.config_digest, &s.record.keys, stranger())], "V22 rotation-signature-invalid");
    // the same signing key can never be made twice; were it so, a key of another boot is still refused
    let other_boot = |s: &Scene| BootKeys { wg_pub: Key32([8; 32]), ..s.record.keys.clone() };
    with(
        &|s| vec![sign(&s.record.config_digest, &other_boot(s), mock::signing_key())],
        "V22 rotation-signature-invalid",
    );
    with(&|s| vec![sign(&Sha256::ZERO, &s.record.keys, mock::signing_key())], "V22 rotation-signature-invalid");
    with(&|s| vec![s.later_key(0)], "V22 rotation-generations-differ");
    with(&|s| vec![s.later_key(1), s.later_key(3)], "V22 rotation-generations-differ");
    with(&|s| vec![s.later_key(2), s.later_key(1)], "V22 rotation-generations-differ");
    with(&|s| vec![s.later_key(1), s.later_key(2), s.later_key(3)], "V22 rotation-too-many");
    staged(|s| s.rotated = vec![s.later_key(1)], &["V22 rotation-not-configured"]);
}
