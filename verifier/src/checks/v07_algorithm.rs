//! V07: the signature's algorithm is that of the attestation key, with SHA-256.
//!
//! Proves that no weaker scheme was slipped in: SHA-1 and everything but ECDSA on P-256 and RSASSA is refused.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::tpm::alg;

pub const CHECK: Check = Check { code: "V07", title: "the signature algorithm is the key's, with SHA-256", run };

fn run(case: &Case) -> CheckResult {
    let (ak, signature) = (case.ak()?, case.signature()?);
    if signature.fits(ak) {
        return Ok(String::new());
    }
    let words = |(scheme, hash): (u16, u16)| format!("{} with {}", alg::name(scheme), alg::name(hash));
    let expected = ak.scheme.map_or("ECDSA or RSASSA with SHA-256".into(), words);
    let got = words((signature.algorithm, signature.hash));
    Err(Failure::differs("signature-algorithm-refused", "algorithm of the signature", expected, got).into())
}
