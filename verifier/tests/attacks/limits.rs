//! What is exactly at a limit, and one step beyond it: V11, V18, V20, V21, V25, V26.

use crate::mock::Scene;
use crate::{failures, refused, report, sent};
use vitrine_attest::config::Span;
use vitrine_attest::Sha256;
use vitrine_verifier::clock::date;
use vitrine_verifier::demands::Demands;
use vitrine_verifier::policy::{ImagePolicy, Policy};
use vitrine_verifier::report::{judge_with, Report};
use vitrine_verifier::verdict::Level;

/// 2025-11-20, about one o'clock in the night.
const NOW: u64 = 1_763_600_000;
const DAY: u64 = 86_400;

/// An accepted server at this time, under this policy, asked at `asked`; the statement ends on `last_day`.
fn judged(policy: Policy, last_day: Option<&str>, asked: Option<u64>) -> Report {
    let mut scene = Scene::good();
    scene.statement.predicate.not_after = last_day.map(Into::into);
    let mut inputs = scene.inputs();
    inputs.now = NOW;
    inputs.exchange.asked = asked;
    judge_with(inputs, Demands { policy, ..Demands::at(Level::L2) }).1
}

fn detail(report: &Report, code: &str) -> String {
    report.checks.iter().find(|check| check.code == code).unwrap().detail.clone()
}

#[test]
fn v11_the_longest_name() {
    sent(|e| e.image_id = "x".repeat(1024), &["V11 extra-data-differs", "V23 image-differs"]);
    sent(|e| e.image_id = "x".repeat(1025), &["V11 image-id-too-long", "V23 image-differs"]);
}

/// PCR 0 is not quoted: an event there may have data that its digest does not cover.
#[test]
fn v18_looks_at_quoted_registers_only() {
    let with = |pcr| {
        let mut scene = Scene::good();
        scene.measure_raw(pcr, 4, Sha256::of(b"other data"), &[0; 4]);
        scene.predict_from_log();
        scene.inputs()
    };
    assert_eq!(failures(&report(with(0))), [""; 0]);
    refused(with(4), &["V18 event-data-altered"]);
}

#[test]
fn v20_names_what_differs() {
    let mut scene = Scene::good();
    scene.measure(9, "another initramfs");
    let one = report(scene.inputs());
    assert_eq!(detail(&one, "V20"), "PCR 9: kernel command line and initramfs");
    scene.measure(12, "more");
    let two = report(scene.inputs());
    assert_eq!(detail(&two, "V20"), "PCR 9: kernel command line and initramfs (and PCR 12)");
}

#[test]
fn v21_the_last_day_counts() {
    let on = |day: u64| failures(&judged(Policy::default(), Some(&date(day)), None));
    assert_eq!(on(NOW), [""; 0]);
    assert_eq!(on(NOW + DAY), [""; 0]);
    assert_eq!(on(NOW - DAY), ["V21 statement-expired"]);
    assert_eq!(failures(&judged(Policy::default(), None, None)), [""; 0]);
    assert_eq!(failures(&judged(Policy::default(), Some("2199-12-3"), None)), ["V21 statement-inconsistent"]);
}

#[test]
fn v25_sequence_version_and_last_day() {
    let image = |min_seq, min_version: Option<&str>| {
        let least = ImagePolicy { min_seq, min_version: min_version.map(|text| text.parse().unwrap()) };
        let policy = Policy { images: [("exit".into(), least)].into(), ..Policy::default() };
        failures(&judged(policy, None, None))
    };
    for (seq, expected) in [(0, &[][..]), (1, &[]), (2, &["V25 release-too-old"])] {
        assert_eq!(image(Some(seq), None), expected, "{seq}");
    }
    for (version, expected) in [("0.9", &[][..]), ("1.0", &[]), ("1.0.1", &["V25 version-too-old"])] {
        assert_eq!(image(None, Some(version)), expected, "{version}");
    }
    let within = |days: u64, last_day: Option<&str>| {
        let mut policy = Policy::default();
        policy.statement.expires_within = Some(Span::seconds(days * DAY));
        failures(&judged(policy, last_day, None))
    };
    let last = date(NOW + 30 * DAY);
    for (days, expected) in [(29, &["V25 expiry-too-far"][..]), (30, &[]), (31, &[])] {
        assert_eq!(within(days, Some(&last)), expected, "{days}");
    }
    assert_eq!(within(30, None), ["V25 expiry-missing"]);
}

#[test]
fn v26_age() {
    let at = |asked| judged(Policy { max_age: Some(Span::seconds(600)), ..Policy::default() }, None, asked);
    for (asked, expected) in [
        (Some(NOW), &[][..]),
        (Some(NOW - 600), &[]),
        (Some(NOW - 601), &["V26 evidence-too-old"]),
        (Some(NOW + 1), &["V26 evidence-age-unknown"]),
        (None, &["V26 evidence-age-unknown"]),
    ] {
        assert_eq!(failures(&at(asked)), expected, "{asked:?}");
    }
    assert_eq!(detail(&at(Some(NOW - 60)), "V26"), Span::seconds(60).to_string());
    let old = at(Some(NOW - 7200));
    let check = old.checks.iter().find(|check| check.code == "V26").unwrap();
    assert_eq!(check.got, Some(Span::seconds(7200).to_string()));
}

/// An old quote and an altered one are told apart in words.
#[test]
fn v11_says_which_it_is() {
    let scene = Scene::good();
    let mut inputs = scene.inputs();
    inputs.exchange.nonce = Sha256::of(b"today's nonce");
    assert!(detail(&report(inputs), "V11").contains("another nonce"));
    let mut evidence = scene.evidence();
    evidence.image_id.push('x');
    assert!(detail(&report(scene.inputs_of(evidence)), "V11").contains("not bound to these keys"));
}
