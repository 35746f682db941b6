//! V04: the endorsement key has the attributes of the standard templates.
//!
//! Templates L-1 (RSA 2048) and L-2 (ECC P-256) of the TCG EK Credential Profile 2.5, §B.3: fixedTPM, fixedParent,
//! sensitiveDataOrigin, adminWithPolicy, restricted, decrypt; policy PolicySecret(endorsement); AES-128-CFB.
//! Proves what kind of key the server claims to have. The certificate binds only the key itself, not its attributes;
//! that the TPM holds it as such a key is shown by V06.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::digest::hex;
use vitrine_attest::tpm::attribute::{
    self, ADMIN_WITH_POLICY, DECRYPT, FIXED_PARENT, FIXED_TPM, RESTRICTED, SENSITIVE_DATA_ORIGIN,
};
use vitrine_attest::tpm::{alg, KeyKind, Public, Symmetric, CURVE_P256};

pub const CHECK: Check = Check { code: "V04", title: "the endorsement key follows the standard template", run };

const ATTRIBUTES: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | ADMIN_WITH_POLICY | RESTRICTED | DECRYPT;
/// PolicyA, SHA-256: PolicySecret with the endorsement hierarchy's authorization (§B.6.2).
const POLICY: &str = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
const SYMMETRIC: Symmetric = Symmetric { algorithm: alg::AES, bits: 128, mode: alg::CFB };

fn run(case: &Case) -> CheckResult {
    match difference(case.ek()?) {
        None => Ok(String::new()),
        Some(failure) => Err(failure.into()),
    }
}

fn difference(ek: &Public) -> Option<Failure> {
    let differs = |what: &str, expected: String, got: String| {
        Some(Failure::differs("ek-template-differs", format!("{what} of the endorsement key"), expected, got))
    };
    if ek.attributes != ATTRIBUTES {
        return differs("attributes", attribute::names(ATTRIBUTES), attribute::names(ek.attributes));
    }
    if ek.name_alg != alg::SHA256 {
        return differs("name algorithm", alg::name(alg::SHA256), alg::name(ek.name_alg));
    }
    if hex(&ek.auth_policy) != POLICY {
        return differs("policy", POLICY.into(), hex(&ek.auth_policy));
    }
    if ek.symmetric != Some(SYMMETRIC) || ek.scheme.is_some() {
        return differs("protection", "AES-128-CFB, no scheme".into(), format!("{:?}, {:?}", ek.symmetric, ek.scheme));
    }
    match &ek.kind {
        KeyKind::Rsa { bits: 2048, exponent: 65537, .. } => None,
        KeyKind::Ecc(ecc) if ecc.curve == CURVE_P256 => None,
        other => differs("kind", "RSA-2048 or P-256".into(), describe(other)),
    }
}

fn describe(kind: &KeyKind) -> String {
    match kind {
        KeyKind::Rsa { bits, exponent, .. } => format!("RSA-{bits} with exponent {exponent}"),
        KeyKind::Ecc(ecc) => format!("curve {:#06x}", ecc.curve),
    }
}
