//! V16: the TPM says that its clock is safe: it never reported a greater value than this one.
//!
//! Only the flag. Reset and restart counters are shown, but not compared with those of an earlier check.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};

pub const CHECK: Check = Check { code: "V16", title: "the TPM's clock is safe", run };

fn run(case: &Case) -> CheckResult {
    let clock = case.attest()?.clock;
    if clock.safe {
        return Ok(format!("{} resets, {} restarts", clock.reset_count, clock.restart_count));
    }
    let detail = "the TPM lost power without notice and its clock has not caught up yet; this takes up to 70 minutes";
    Err(Failure::new("clock-not-safe", detail).into())
}
