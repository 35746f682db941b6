//! Sizes, form and the attestation key: V01 to V07.

use crate::mock::{Scene, Tpm};
use crate::{failures, refused, report, sent, signed, staged};
use vitrine_attest::evidence::Evidence;
use vitrine_verifier::exchange::Answer;
use vitrine_verifier::outcome::Status;

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

/// What is exactly at a limit is not too much.
#[test]
fn v01_limits_are_allowed() {
    let passes = |inputs| report(inputs).checks.iter().any(|c| c.code == "V01" && c.status == Status::Passed);
    let scene = Scene::good();
    let of = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = scene.evidence();
        change(&mut evidence);
        scene.inputs_of(evidence)
    };
    assert!(passes(of(&|e| e.firmware_log = vec![0; 1 << 20])));
    assert!(passes(of(&|e| e.runtime_log = vec![e.runtime_log[0].clone(); 64])));
    let mut inputs = scene.inputs();
    inputs.exchange.evidence.resize(4 << 20, b' ');
    assert!(passes(inputs));
}

/// Each field of the template by itself: V04 alone sees it, whatever else fails.
#[test]
fn v04_every_field_of_the_template() {
    // type[2] name algorithm[2] attributes[4] policy[2 + 32] symmetric[2] bits[2] mode[2] scheme[2] curve[2] …
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let scene = Scene::good();
        let mut evidence = scene.evidence();
        change(&mut evidence.ek_pub);
        let checks = report(scene.inputs_of(evidence)).checks;
        checks.into_iter().find(|check| check.code == "V04").unwrap()
    };
    let differs = |change: &dyn Fn(&mut Vec<u8>), got: &str| {
        let check = with(change);
        assert_eq!((check.status, check.reason), (Status::Failed, Some("ek-template-differs")), "{got}");
        assert!(check.got.as_ref().unwrap().contains(got), "{check:?}");
        assert!(check.expected.as_ref().is_some_and(|expected| !expected.contains(got)), "{check:?}");
    };
    assert_eq!(with(&|_| {}).status, Status::Passed);
    differs(&|area| area[3] = 0x0c, "SHA-384");
    differs(&|area| area[10] ^= 1, "827197674484");
    differs(&|area| area[44..46].copy_from_slice(&[1, 0]), "bits: 256");
    differs(&|area| area[47] = 0x40, "mode: 64");
    differs(&|area| drop(area.splice(48..50, [0, 0x18, 0, 0x0b])), "(24, 11)");
    differs(&|area| area[51] = 4, "curve 0x0004");
    for bit in 0..32 {
        let check = with(&|area| area[4 + bit / 8] ^= 1 << (bit % 8));
        assert_eq!(check.status, Status::Failed, "attribute bit {bit}");
    }
}
