//! V03: the endorsement key's certificate leads to a root that the person gave, and is for this key.
//!
//! Proves that a TPM vendor (or the cloud that runs a virtual TPM) vouches for the key `ek_pub`. It does not prove
//! that this TPM made the quote (V06), nor that the TPM is in the machine one thinks of.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure, Stop};
use vitrine_attest::ek;

pub const CHECK: Check = Check { code: "V03", title: "the TPM is vouched for by a given root", run };

fn run(case: &Case) -> CheckResult {
    let Some(roots) = &case.inputs.roots else {
        return Err(Stop::Skipped("no EK roots were given (--ek-roots)"));
    };
    let (evidence, key) = (case.evidence()?, case.ek()?);
    match ek::verify(&evidence.ek_cert, key, roots, case.inputs.now) {
        Ok(endorsement) => Ok(format!("certificate {}, root {}", endorsement.certificate, endorsement.root)),
        Err(problem) => Err(Failure::new(problem.code(), problem.to_string()).into()),
    }
}
