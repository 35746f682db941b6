//! V09: the signed structure begins with TPM_GENERATED_VALUE (TPM 2.0 Part 2, §6.2).
//!
//! With V05 it proves that the TPM made the structure itself and did not merely sign it.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::tpm::GENERATED;

pub const CHECK: Check = Check { code: "V09", title: "the TPM made the signed structure itself", run };

fn run(case: &Case) -> CheckResult {
    let magic = case.attest()?.magic;
    if magic == GENERATED {
        return Ok(String::new());
    }
    let (expected, got) = (format!("{GENERATED:08x}"), format!("{magic:08x}"));
    Err(Failure::differs("magic-wrong", "first bytes of the signed structure", expected, got).into())
}
