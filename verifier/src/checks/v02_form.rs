//! V02: the evidence and the TPM structures in it can be read strictly, with nothing left over.
//!
//! Proves that there is one way to read what was sent. Bytes after the quote itself are V12's.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::evidence::VERSION;
use vitrine_attest::tpm::Malformed;

pub const CHECK: Check = Check { code: "V02", title: "evidence is well-formed", run };

fn run(case: &Case) -> CheckResult {
    let evidence =
        case.parsed_evidence().as_ref().map_err(|error| Failure::new("evidence-malformed", error.clone()))?;
    if evidence.v != VERSION {
        return Err(Failure::differs("version-unknown", "version of the evidence", VERSION, evidence.v).into());
    }
    let Some(structures) = case.structures() else { return Err(Failure::not_reached("there is no evidence").into()) };
    let parts = [
        ("ek-malformed", structures.ek.as_ref().err()),
        ("ak-malformed", structures.ak.as_ref().err()),
        ("attest-malformed", structures.attest.as_ref().err()),
        ("signature-malformed", structures.signature.as_ref().err()),
    ];
    for (reason, error) in parts {
        let reported: Option<&Malformed> = error;
        if let Some(malformed) = reported {
            return Err(Failure::new(reason, malformed.to_string()).into());
        }
    }
    Ok(String::new())
}
