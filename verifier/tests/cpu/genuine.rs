//! Reports of real machines, from the source packages of the crates `sev` and `dcap-qvl` (vectors/README.md). They were made
//! for somebody else's report data, so V28 gets as far as that and no further.

use super::*;
use vitrine_verifier::cpu::snp::{self, Leaf, Product, Report as SnpReport, Signer, Tcb, SIGNED_LENGTH};
use vitrine_verifier::cpu::{tdx, TdxStatus, Verified};
use vitrine_verifier::outcome::Failure;
use vitrine_verifier::roots::bundle::certificates;

/// 2025-11-20, and within the dates of the TDX collateral, 2025-06-20.
const NOW: u64 = 1_763_600_000;
const COLLATERAL_NOW: u64 = 1_750_400_000;

fn milan_report() -> Vec<u8> {
    vitrine_attest::digest::unhex(&include_str!("vectors/report_milan.hex").trim().to_lowercase()).unwrap()
}

/// ASK and ARK, as AMD's service gives them.
fn milan_chain() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    chain(include_bytes!("vectors/vcek_milan.der"), include_bytes!("vectors/cert_chain_milan"))
}

fn chain(leaf: &[u8], others: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let others = certificates(others).unwrap();
    (vec![leaf.to_vec(), others[0].clone()], vec![others[1].clone()])
}

fn milan(report: &[u8], now: u64) -> Result<Verified, Failure> {
    let (chain, roots) = milan_chain();
    snp::verify(report, &chain, &roots, &CpuPolicy::default(), now)
}

#[test]
fn amd_milan() {
    let bytes = milan_report();
    let verified = milan(&bytes, NOW).unwrap();
    assert!(verified.words.starts_with("AMD SEV-SNP, Milan-B0"), "{}", verified.words);
    let report = SnpReport::parse(&bytes).unwrap();
    assert_eq!((report.version, report.signer, report.debuggable()), (2, Signer::Vcek, false));
    let tcb = Tcb { fmc: 0, bootloader: 3, tee: 0, snp: 8, microcode: 115 };
    assert_eq!(Tcb::of(Product::MilanGenoa, report.reported_tcb), tcb);
    assert_eq!((verified.report_data, verified.measurement), (report.report_data, report.measurement));
}

/// What is signed, and the signature: each byte counts. Fields behind the signature must be zero.
#[test]
fn no_altered_byte_of_a_real_report_is_taken() {
    let good = milan_report();
    let (chain, roots) = milan_chain();
    let leaf = Leaf::verify(&chain, &roots, NOW).unwrap();
    for at in 0..good.len() {
        let mut report = good.clone();
        report[at] ^= 0x10;
        let signature = SnpReport::signature(&report);
        let taken = SnpReport::parse(&report).is_ok()
            && signature.is_ok_and(|signature| leaf.signed(&report[..SIGNED_LENGTH], &signature));
        assert!(!taken, "byte {at}");
    }
    for length in 0..good.len() {
        assert!(SnpReport::parse(&good[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn amd_chains() {
    let (chain, roots) = milan_chain();
    let code = |chain: &[Vec<u8>], roots: &[Vec<u8>], now| Leaf::verify(chain, roots, now).unwrap_err().reason;
    assert_eq!(code(&chain[..1], &roots, NOW), "cpu-chain-untrusted");
    // 2031: the leaf is over; 2019: nothing began
    assert_eq!(code(&chain, &roots, 1_925_000_000), "cpu-chain-untrusted");
    assert_eq!(code(&chain, &roots, 1_560_000_000), "cpu-chain-untrusted");
    // a pinned ASK is a root by itself
    assert!(Leaf::verify(&chain[..1], &chain[1..], NOW).is_ok());
    for at in (0..chain[0].len()).step_by(13) {
        let mut altered = chain.clone();
        altered[0][at] ^= 1;
        assert!(Leaf::verify(&altered, &roots, NOW).is_err(), "byte {at}");
    }
}

/// Turin spells RSASSA-PSS otherwise, has a version more, and a shorter chip identifier.
#[test]
fn amd_turin() {
    let (own, roots) = chain(include_bytes!("vectors/vcek_turin.der"), include_bytes!("vectors/cert_chain_turin"));
    let leaf = Leaf::verify(&own, &roots, NOW).unwrap();
    assert_eq!((leaf.product, leaf.signer), (Product::Turin, Signer::Vcek));
    assert_eq!(leaf.chip_id.as_ref().map(Vec::len), Some(8));
    let (_, milan) = milan_chain();
    assert_eq!(Leaf::verify(&own, &milan, NOW).unwrap_err().reason, "cpu-chain-untrusted");
    // the report is another chip's
    let bytes = milan_report();
    let refused = snp::verify(&bytes, &own, &roots, &CpuPolicy::default(), NOW).unwrap_err();
    assert_eq!(refused.reason, "cpu-signature-invalid");
}

const QUOTE: &[u8] = include_bytes!("vectors/tdx_quote");
const INTEL_ROOT: &[u8] = include_bytes!("vectors/TrustedRootCA.der");

/// As the person's file has it.
fn tdx_evidence(quote: &[u8]) -> CpuEvidence {
    use base64::{engine::general_purpose::STANDARD, Engine as _};
    let collateral = include_str!("vectors/tdx_quote_collateral.json");
    let text = format!(r#"{{"v":1,"kind":"tdx","report":"{}","collateral":{collateral}}}"#, STANDARD.encode(quote));
    CpuEvidence::parse(text.as_bytes()).unwrap()
}

fn intel(quote: &[u8], roots: &[Vec<u8>], policy: &CpuPolicy, now: u64) -> Result<Verified, Failure> {
    let CpuEvidence::Tdx { quote, collateral } = tdx_evidence(quote) else { panic!("it is of TDX") };
    tdx::verify(&quote, &collateral, roots, policy, now)
}

#[test]
fn intel_tdx() {
    let (roots, policy) = (vec![INTEL_ROOT.to_vec()], CpuPolicy::default());
    let all = CpuPolicy { tdx_status: TdxStatus::ALL.to_vec(), ..CpuPolicy::default() };
    let verified = intel(QUOTE, &roots, &all, COLLATERAL_NOW).unwrap();
    assert!(verified.words.starts_with("Intel TDX, "), "{}", verified.words);
    let code = |quote: &[u8], roots: &[Vec<u8>], now| intel(quote, roots, &all, now).unwrap_err().reason;
    assert_eq!(code(QUOTE, &[], COLLATERAL_NOW), "cpu-quote-refused");
    let (_, amd) = milan_chain();
    assert_eq!(code(QUOTE, &amd, COLLATERAL_NOW), "cpu-quote-refused");
    assert_eq!(code(QUOTE, &roots, NOW), "cpu-quote-refused", "the collateral is over");
    let either = [amd[0].clone(), INTEL_ROOT.to_vec()];
    assert_eq!(intel(QUOTE, &either, &all, COLLATERAL_NOW).unwrap(), verified);
    // what Intel says of this machine decides, and the policy says what is enough
    let status = verified.words.strip_prefix("Intel TDX, ").unwrap();
    match intel(QUOTE, &roots, &policy, COLLATERAL_NOW) {
        Ok(_) => assert_eq!(status, "UpToDate"),
        Err(failure) => assert_eq!((failure.reason, failure.got.as_deref()), ("cpu-tcb-too-old", Some(status))),
    }
    let none = CpuPolicy { tdx_status: vec![TdxStatus::TDRelaunchAdvised], ..CpuPolicy::default() };
    assert_eq!(intel(QUOTE, &roots, &none, COLLATERAL_NOW).unwrap_err().reason, "cpu-tcb-too-old");
}

/// Header, body, signature and certificates; what stands behind them is nobody's.
#[test]
fn no_altered_byte_of_a_real_quote_is_taken() {
    let roots = vec![INTEL_ROOT.to_vec()];
    let all = CpuPolicy { tdx_status: TdxStatus::ALL.to_vec(), ..CpuPolicy::default() };
    let signed = 632 + 4 + 64 + 64;
    let good = intel(QUOTE, &roots, &all, COLLATERAL_NOW).unwrap();
    for at in (0..signed).step_by(5).chain([8, 520, 631]) {
        let mut quote = QUOTE.to_vec();
        quote[at] ^= 1;
        // the length of what follows may be told otherwise, the statement may not
        let taken = intel(&quote, &roots, &all, COLLATERAL_NOW);
        assert!(taken.is_err() || (632..636).contains(&at) && taken.as_ref() == Ok(&good), "byte {at}");
    }
    for length in (0..QUOTE.len() - 64).step_by(97) {
        assert!(intel(&QUOTE[..length], &roots, &all, COLLATERAL_NOW).is_err(), "{length} bytes");
    }
}

/// A real report beside our server: all holds but what it was made for.
#[test]
fn real_reports_are_for_somebody_else() {
    let (chain, roots) = milan_chain();
    let cpu = CpuDemands { evidence: CpuEvidence::SevSnp { report: milan_report(), chain }, roots };
    let report = judged(|_| Some(cpu), CpuPolicy::default(), Level::L1);
    assert_eq!(failures(&report), ["V28 cpu-report-data-differs"]);
}
