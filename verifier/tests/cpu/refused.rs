//! One defect each, with the reason of V28.

use super::*;
use vitrine_verifier::verdict::Verdict;

#[track_caller]
fn refused(report: &Report, reason: &str) {
    assert_eq!(failures(report), [format!("V28 {reason}")]);
    assert_eq!((report.verdict, report.level), (Verdict::Rejected, None));
}

#[test]
fn reports_that_their_key_signed() {
    type Change = fn(&mut [u8]);
    let cases: [(&str, Change); 13] = [
        ("cpu-debug-allowed", |report| report[8 + 2] |= 1 << 3),
        ("cpu-migration-allowed", |report| report[8 + 2] |= 1 << 2),
        ("cpu-report-data-differs", |report| report[0x50] ^= 1),
        ("cpu-report-data-differs", |report| report[0x50 + 32] = 1),
        ("cpu-report-data-differs", |report| report[0x50 + 63] = 1),
        ("cpu-chip-differs", |report| report[0x1a0] ^= 1),
        ("cpu-tcb-differs", |report| report[0x187] -= 1),
        ("cpu-tcb-differs", |report| report[0x180] -= 1),
        ("cpu-signer-differs", |report| report[0x48] = 1 << 2),
        ("cpu-report-malformed", |report| report[0x48] = 7 << 2),
        ("cpu-report-malformed", |report| report[0x48] = 1 << 1),
        ("cpu-report-malformed", |report| report[0x30] = 4),
        ("cpu-report-malformed", |report| report[0] = 4),
    ];
    for (at, (reason, change)) in cases.into_iter().enumerate() {
        let report = signed(&Chip::milan(), CpuPolicy::default(), change);
        assert_eq!(failures(&report), [format!("V28 {reason}")], "case {at}");
    }
}

/// A chip's identifier of 8 bytes has zeros behind it.
#[test]
fn more_than_the_chips_identifier() {
    let report = signed(&Chip::turin(), CpuPolicy::default(), |report| report[0x1a0 + 8] = 1);
    refused(&report, "cpu-chip-differs");
}

#[test]
fn chains() {
    let other = Maker::new();
    let with = |chip: Chip, chain: Vec<Vec<u8>>| {
        judged(|data| Some(given(maker().report(&chip, &data, |_| {}), chain)), CpuPolicy::default(), Level::L1)
    };
    let milan = Chip::milan;
    refused(&with(milan(), vec![]), "cpu-certificate-malformed");
    refused(&with(milan(), vec![vec![0x30, 0]]), "cpu-certificate-malformed");
    refused(&with(milan(), maker().chain(&milan())[..1].to_vec()), "cpu-chain-untrusted");
    refused(&with(milan(), other.chain(&milan())), "cpu-chain-untrusted");
    let mut altered = maker().chain(&milan());
    *altered[0].last_mut().unwrap() ^= 1;
    refused(&with(milan(), altered), "cpu-chain-untrusted");
    // the ASK is no signing key, the ARK neither
    refused(&with(milan(), vec![maker().ask.clone()]), "cpu-chain-untrusted");
    let venice = Chip { product: "Venice", ..milan() };
    refused(&with(venice.clone(), maker().chain(&venice)), "cpu-product-unknown");
    let slower = Chip { tcb: [0, 3, 0, 8, 114], ..milan() };
    refused(&with(milan(), maker().chain(&slower)), "cpu-tcb-differs");
    let vlek = Chip { id: None, ..milan() };
    refused(&with(milan(), maker().chain(&vlek)), "cpu-signer-differs");
}

#[test]
fn signatures() {
    let chip = Chip::milan();
    for (at, reason) in [
        (0x2a0, "cpu-signature-invalid"),
        (0x2a0 + 72 + 47, "cpu-signature-invalid"),
        (0x2a0 + 48, "cpu-report-malformed"),
        (0x2a0 + 144, "cpu-report-malformed"),
        (0x49f, "cpu-report-malformed"),
        (0x90, "cpu-signature-invalid"),
    ] {
        let cpu = |data| {
            let mut report = maker().report(&chip, &data, |_| {});
            report[at] ^= 1;
            Some(given(report, maker().chain(&chip)))
        };
        refused(&judged(cpu, CpuPolicy::default(), Level::L1), reason);
    }
    for length in [0, 1183, 1185] {
        let cpu = |data| {
            let mut report = maker().report(&chip, &data, |_| {});
            report.resize(length, 0);
            Some(given(report, maker().chain(&chip)))
        };
        refused(&judged(cpu, CpuPolicy::default(), Level::L1), "cpu-report-malformed");
    }
}

/// The report of another session, with another nonce.
#[test]
fn a_recorded_report() {
    let mut scene = Scene::good();
    let old = data_of(&scene.evidence());
    scene.nonce = vitrine_attest::Sha256::of(b"another nonce");
    let chip = Chip::milan();
    let cpu = Some(given(maker().report(&chip, &old, |_| {}), maker().chain(&chip)));
    let report = judge_with(scene.inputs(), Demands { cpu, ..Demands::at(Level::L2) }).1;
    refused(&report, "cpu-report-data-differs");
}

#[test]
fn files() {
    let bad = [
        r#"{}"#,
        r#"{"v":2,"kind":"sev-snp","report":"","chain":["AAAA"]}"#,
        r#"{"v":1,"kind":"sev-snp","report":"","chain":[]}"#,
        r#"{"v":1,"kind":"sev-snp","report":""}"#,
        r#"{"v":1,"kind":"sev-snp","report":"*","chain":["AAAA"]}"#,
        r#"{"v":1,"kind":"sgx","report":"","chain":["AAAA"]}"#,
        r#"{"v":1,"kind":"tdx","report":"","chain":["AAAA"]}"#,
        r#"{"v":1,"kind":"sev-snp","report":"","chain":["AAAA"],"more":1}"#,
    ];
    for text in bad {
        assert_eq!(CpuEvidence::parse(text.as_bytes()).unwrap_err().exit_code(), 2, "{text}");
    }
    let chain = ["\"AAAA\""; 9].join(",");
    assert!(
        CpuEvidence::parse(format!(r#"{{"v":1,"kind":"sev-snp","report":"","chain":[{chain}]}}"#).as_bytes()).is_err()
    );
    let long = "A".repeat(1600);
    let text = format!(r#"{{"v":1,"kind":"sev-snp","report":"{long}","chain":["AAAA"]}}"#);
    assert!(CpuEvidence::parse(text.as_bytes()).unwrap_err().what.contains("at most 1184"));
    let good = CpuEvidence::parse(br#"{"v":1,"kind":"sev-snp","report":"AAAA","chain":["AAAA"]}"#).unwrap();
    assert_eq!(good, CpuEvidence::SevSnp { report: vec![0; 3], chain: vec![vec![0; 3]] });
}
