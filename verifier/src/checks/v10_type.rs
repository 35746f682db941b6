//! V10: the signed structure is a quote, not a certification, creation, time or session audit.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::tpm::QUOTE;

pub const CHECK: Check = Check { code: "V10", title: "the signed structure is a quote", run };

fn run(case: &Case) -> CheckResult {
    let kind = case.attest()?.kind;
    if kind == QUOTE {
        return Ok(String::new());
    }
    let (expected, got) = (format!("{QUOTE:04x}"), format!("{kind:04x}"));
    Err(Failure::differs("not-a-quote", "type of the signed structure", expected, got).into())
}
