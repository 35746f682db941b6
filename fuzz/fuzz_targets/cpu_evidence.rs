//! Reports of processors: the file, an AMD report, a certificate of its key, an Intel quote; the first byte chooses. Invariants,
//! for any bytes:
//! - reading and verifying never panic;
//! - a report is read from its whole length only, and none but the real one is signed by the real key;
//! - no certificate but the real one leads to AMD's root, and no quote is taken that says other than the real one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vitrine_verifier::cpu::snp::{Leaf, Report, REPORT_LENGTH, SIGNED_LENGTH};
use vitrine_verifier::cpu::{tdx, CpuEvidence, TdxStatus};
use vitrine_verifier::policy::CpuPolicy;
use vitrine_verifier::roots::bundle::certificates;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../verifier/tests/cpu/vectors/", $name)).as_slice()
    };
}

/// Within the dates of AMD's certificates, and of the collateral.
const NOW: u64 = 1_763_600_000;
const COLLATERAL_NOW: u64 = 1_750_400_000;

static CHAIN: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| certificates(vector!("cert_chain_milan")).expect("a file of certificates"));
static LEAF: LazyLock<Leaf> = LazyLock::new(|| leaf(vector!("vcek_milan.der")).expect("AMD's own chain"));
static POLICY: LazyLock<CpuPolicy> =
    LazyLock::new(|| CpuPolicy { tdx_status: TdxStatus::ALL.to_vec(), ..CpuPolicy::default() });
static COLLATERAL: LazyLock<CpuEvidence> = LazyLock::new(|| {
    let collateral = String::from_utf8_lossy(vector!("tdx_quote_collateral.json"));
    let text = format!(r#"{{"v":1,"kind":"tdx","report":"","collateral":{collateral}}}"#);
    CpuEvidence::parse(text.as_bytes()).expect("a file of this version")
});

fn leaf(certificate: &[u8]) -> Option<Leaf> {
    Leaf::verify(&[certificate.to_vec(), CHAIN[0].clone()], &CHAIN[1..], NOW).ok()
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    match choice % 4 {
        0 => drop(CpuEvidence::parse(data)),
        1 => report(data),
        2 => {
            if let Some(leaf) = leaf(data) {
                assert_eq!(leaf, *LEAF);
            }
        }
        _ => quote(data),
    }
});

fn report(data: &[u8]) {
    let (report, signature) = (Report::parse(data), Report::signature(data));
    if data.len() != REPORT_LENGTH {
        assert!(report.is_err());
        return;
    }
    if let (Ok(_), Ok(signature)) = (report, signature) {
        let real = vector!("report_milan.hex")
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16).unwrap_or_default());
        let same = real.take(SIGNED_LENGTH).eq(data[..SIGNED_LENGTH].iter().copied());
        assert_eq!(LEAF.signed(&data[..SIGNED_LENGTH], &signature) && !same, false);
    }
}

fn quote(data: &[u8]) {
    let CpuEvidence::Tdx { collateral, .. } = &*COLLATERAL else { return };
    let roots = [vector!("TrustedRootCA.der").to_vec()];
    if let Ok(verified) = tdx::verify(data, collateral, &roots, &POLICY, COLLATERAL_NOW) {
        assert_eq!(data.get(..632), vector!("tdx_quote").get(..632), "{verified:?}");
    }
}
