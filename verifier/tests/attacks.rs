//! One change to an accepted check at a time: the verdict must be "rejected", with exactly this reason code.

mod mock;

use mock::{Parts, Scene, SigningKey, Tpm};
use vitrine_attest::boot::BootKeys;
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;
use vitrine_verifier::case::Inputs;
use vitrine_verifier::exchange::Answer;
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

#[test]
fn v01_sizes() {
    sent(
        |e| e.firmware_log = vec![0; (1 << 20) + 1],
        &["V01 log-too-large", "V18 log-malformed", "V19 not-reached", "V20 not-reached"],
    );
    sent(
        |e| e.runtime_log = vec![e.runtime_log[0].clone(); 65],
        &["V01 too-many-events", "V19 replay-differs", "V20 pcr-15-differs", "V22 runtime-log-differs"],
    );
    let mut inputs = Scene::good().inputs();
    inputs.exchange.evidence.resize((4 << 20) + 1, b' ');
    refused(inputs, &["V01 evidence-too-large", "V06 activation-transcript-differs"]);
}

#[test]
fn v02_form() {
    sent(|e| e.v = 1, &["V02 version-unknown"]);
    sent(|e| e.signature.push(0), &["V02 signature-malformed", "V07 not-reached", "V08 not-reached"]);
    sent(|e| e.ek_pub.push(0), &["V02 ek-malformed", "V03 not-reached", "V04 not-reached", "V06 not-reached"]);
    let mut inputs = Scene::good().inputs();
    inputs.exchange.evidence.truncate(100);
    let failed = failures(&report(inputs));
    assert_eq!(failed[1], "V02 evidence-malformed");
    assert_eq!(failed.len(), 21, "only V21 can still be judged: {failed:?}");
    let mut inputs = Scene::good().inputs();
    inputs.exchange.evidence.splice(1..1, *b"\"more\":1,");
    assert!(failures(&report(inputs)).contains(&"V02 evidence-malformed".into()), "an unknown field was taken");
}

#[test]
fn v03_certificate_of_another_tpm() {
    let other = Tpm::new();
    sent(|e| e.ek_cert = other.ek_cert.clone(), &["V03 ek-chain-untrusted"]);
    sent(|e| e.ek_cert.clear(), &["V03 ek-certificate-absent"]);
    // both TPMs are vouched for, and the certificate is the other one's
    let scene = Scene::good();
    let mut evidence = scene.evidence();
    evidence.ek_cert = other.ek_cert.clone();
    let mut inputs = scene.inputs_of(evidence);
    inputs.roots = Some(vitrine_attest::ek::Roots::parse(&[scene.tpm.ca(), other.ca()].concat()).unwrap());
    refused(inputs, &["V03 ek-key-differs"]);
}

#[test]
fn v04_v05_attributes() {
    staged(|s| Tpm::set_attributes(&mut s.tpm.ek_area, 0x0003_00f2), &["V04 ek-template-differs"]);
    // an unrestricted key may sign a forged quote; its name is measured and activated like any other
    for attributes in [0x0004_0472, 0x0001_0472, 0x0007_0472, 0x0005_0470, 0x0005_0462, 0x0005_0452] {
        staged(
            |s| {
                Tpm::set_attributes(&mut s.tpm.ak_area, attributes);
                s.record.ak_name = vitrine_attest::tpm::Public::parse(&s.tpm.ak_area).unwrap().name().unwrap();
            },
            &["V05 ak-attributes-wrong"],
        );
    }
}

#[test]
fn v06_a_quote_of_tpm_b_with_the_ek_of_tpm_a() {
    // the relay has a real TPM (A), but the quote is made by a TPM in software (B)
    let (a, b) = (Scene::good(), Scene::good());
    let mut evidence = b.evidence();
    evidence.ek_pub = a.tpm.ek_area.clone();
    evidence.ek_cert = a.tpm.ek_cert.clone();
    refused(a.inputs_of(evidence), &["V06 activation-refused"]);
}

#[test]
fn v06_wrong_answers() {
    let change = |change: fn(&mut Vec<u8>, &mut Vec<u8>, &mut [u8; 32])| {
        let mut inputs = Scene::good().inputs();
        let Answer::Given { m3, m4, secret } = &mut inputs.exchange.activation.as_mut().unwrap().answer else {
            panic!("the mock did not activate")
        };
        change(m3, m4, secret);
        inputs
    };
    refused(change(|_, _, secret| secret[0] ^= 1), &["V06 activation-wrong"]);
    refused(change(|_, m4, _| m4.truncate(9)), &["V06 activation-malformed"]);
    refused(change(|m3, _, _| m3.push(b' ')), &["V06 activation-wrong"]);
    let mut inputs = Scene::good().inputs();
    inputs.exchange.activation.as_mut().unwrap().m1.push(b' ');
    refused(inputs, &["V06 activation-transcript-differs"]);
}

#[test]
fn v07_algorithms() {
    signed(|p| p.hash = 0x04, &["V07 signature-algorithm-refused", "V08 not-reached"]);
    sent(
        |e| e.signature = [&[0, 0x14, 0, 0x0b, 1, 0][..], &[1; 256]].concat(),
        &["V07 signature-algorithm-refused", "V08 not-reached"],
    );
}

#[test]
fn v08_signature() {
    sent(|e| e.signature[10] ^= 1, &["V08 signature-invalid"]);
    // the clock is nothing that another check looks at
    sent(|e| e.attest[76] ^= 1, &["V08 signature-invalid"]);
}

#[test]
fn v09_v10_what_was_signed() {
    signed(|p| p.magic = 0xff54_4348, &["V09 magic-wrong"]);
    // a certification, a creation, a time: the rest of such a structure is no quote
    for kind in [0x8017, 0x801a, 0x8019, 0x8014] {
        signed(
            |p| p.kind = kind,
            &["V10 not-a-quote", "V12 not-reached", "V14 not-reached", "V15 not-reached", "V19 not-reached"],
        );
    }
}

#[test]
fn v11_replay_and_swapped_keys() {
    signed(|p| p.extra_data = Some(vec![0; 32]), &["V11 extra-data-differs"]);
    signed(|p| p.extra_data = Some(vec![]), &["V11 extra-data-differs"]);
    // evidence for an earlier nonce, whoever repeats it
    let old = Scene::good();
    let mut inputs = old.inputs();
    inputs.exchange.nonce = Sha256::of(b"today's nonce");
    refused(inputs, &["V11 extra-data-differs"]);
    let mut relabelled = old.evidence();
    relabelled.nonce = Sha256::of(b"today's nonce");
    let mut inputs = old.inputs_of(relabelled);
    inputs.exchange.nonce = Sha256::of(b"today's nonce");
    refused(inputs, &["V11 extra-data-differs"]);
    // a relay puts its own key in
    let expected =
        ["V11 extra-data-differs", "V15 pcr-digest-differs", "V20 pcr-15-differs", "V22 runtime-keys-differ"];
    sent(|e| e.keys.wg_pub = Key32([9; 32]), &expected);
    sent(|e| e.keys.channel_pub = Key32([9; 32]), &expected);
    sent(|e| e.keys.sign_pub = Key32([9; 32]), &expected);
    sent(|e| e.keys.tls_spki = Sha256::ZERO, &expected);
    sent(|e| e.image_id = "exit 2.0 x".into(), &["V11 extra-data-differs", "V23 image-differs"]);
    sent(|e| e.image_id = "x".repeat(2000), &["V11 image-id-too-long", "V23 image-differs"]);
}

#[test]
fn v12_v13() {
    signed(|p| p.tail = vec![0], &["V12 attest-trailing-bytes"]);
    // a key of the owner hierarchy
    signed(|p| p.hierarchy = 0x4000_0001, &["V13 signer-not-endorsement-primary"]);
}

#[test]
fn v14_relabelled_registers() {
    let selections: [&[(u16, &[u8])]; 7] = [
        &[(0x0b, &[0, 0, 0x81])], // 16 and 23, which anybody can reset
        &[(0x0b, &[0x90, 0xfa, 1])],
        &[(0x0b, &[0x90, 0xfa])],
        &[(0x04, &[0x90, 0xfa, 0])],                           // the SHA-1 bank
        &[(0x0b, &[0x90, 0xfa, 0]), (0x0b, &[0x90, 0xfa, 0])], // one bank twice
        &[(0x0b, &[0x90, 0xfa, 0, 0])],
        &[],
    ];
    for list in selections {
        signed(
            |p| p.selections = list.iter().map(|(hash, bits)| (*hash, bits.to_vec())).collect(),
            &["V14 pcr-selection-differs"],
        );
    }
}

#[test]
fn v15_digest() {
    signed(|p| p.digest = Some(vec![0; 32]), &["V15 pcr-digest-differs", "V19 replay-differs"]);
    signed(|p| p.digest = Some(vec![0; 20]), &["V15 pcr-digest-differs", "V19 replay-differs"]);
    // the fuse burnt after boot: no log of the firmware tells of it
    signed(|p| p.fuse = Some(Sha256::of(b"x")), &["V15 pcr-digest-differs", "V19 replay-differs"]);
}

#[test]
fn v16_clock() {
    signed(|p| p.safe = 0, &["V16 clock-not-safe"]);
    signed(
        |p| p.safe = 2,
        &[
            "V02 attest-malformed",
            "V09 not-reached",
            "V10 not-reached",
            "V11 not-reached",
            "V12 not-reached",
            "V13 not-reached",
            "V14 not-reached",
            "V15 not-reached",
            "V16 not-reached",
            "V19 not-reached",
        ],
    );
}

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
    let mut inputs = Scene::good().inputs();
    inputs.envelope.payload[40] ^= 1;
    refused(inputs, &without_release);
    let mut inputs = Scene::good().inputs();
    let other = Scene { release_key: SigningKey::from_bytes(&[7; 32]), ..Scene::good() };
    inputs.key = other.key();
    refused(inputs, &without_release);
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

/// A list changed after the quote: the quote binds it.
#[test]
fn v11_rotated_keys_swapped_on_the_way() {
    let mut scene = Scene::rotating();
    scene.rotated = vec![scene.later_key(1), scene.later_key(2)];
    let lists: [&[RotatedKey]; 3] = [&[], &scene.rotated[..1], &[scene.later_key(2)]];
    for list in lists {
        let mut evidence = scene.evidence();
        evidence.rotated = list.to_vec();
        refused(scene.inputs_of(evidence), &["V11 extra-data-differs"]);
    }
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
