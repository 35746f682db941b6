//! V08: the attestation key signed exactly these bytes.
//!
//! Over the raw structure as it was received, never over one written again from parsed fields.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::tpm::Refused;

pub const CHECK: Check = Check { code: "V08", title: "the attestation key signed the quote", run };

fn run(case: &Case) -> CheckResult {
    let (evidence, ak, signature) = (case.evidence()?, case.ak()?, case.signature()?);
    match signature.verify(ak, &evidence.attest) {
        Ok(()) => Ok(String::new()),
        Err(Refused::Invalid) => {
            Err(Failure::new("signature-invalid", "the signature is not by the attestation key over this quote").into())
        }
        Err(Refused::Algorithm) => Err(Failure::not_reached("the algorithm is refused (V07)").into()),
    }
}
