//! V05: the attestation key can sign only what its TPM made itself, and cannot leave the TPM.
//!
//! A restricted signing key refuses foreign data that begins with the magic of V09: so a forged quote cannot get its
//! signature. Proves nothing by itself: V06 shows that a TPM really holds a key with these attributes.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::tpm::attribute::{self, DECRYPT, FIXED_PARENT, FIXED_TPM, RESTRICTED, SENSITIVE_DATA_ORIGIN, SIGN};
use vitrine_attest::tpm::{alg, KeyKind};

pub const CHECK: Check = Check { code: "V05", title: "the attestation key is a restricted signing key", run };

const REQUIRED: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | SIGN;

fn run(case: &Case) -> CheckResult {
    let ak = case.ak()?;
    if ak.attributes & REQUIRED != REQUIRED || ak.attributes & DECRYPT != 0 {
        let detail = "attributes of the attestation key; decrypt must not be set";
        let (expected, got) = (attribute::names(REQUIRED), attribute::names(ak.attributes));
        return Err(Failure::differs("ak-attributes-wrong", detail, expected, got).into());
    }
    if ak.name_alg != alg::SHA256 {
        let (expected, got) = (alg::name(alg::SHA256), alg::name(ak.name_alg));
        return Err(Failure::differs("ak-name-algorithm-wrong", "name of the attestation key", expected, got).into());
    }
    let strong = match &ak.kind {
        KeyKind::Rsa { bits, .. } => *bits >= 2048,
        KeyKind::Ecc(_) => ak.p256_point().is_some(),
    };
    if !strong {
        return Err(
            Failure::new("ak-kind-refused", "the attestation key is neither P-256 nor RSA with 2048 bits").into()
        );
    }
    Ok(String::new())
}
