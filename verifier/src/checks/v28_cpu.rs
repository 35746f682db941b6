//! V28: the processor signed the digest that the TPM's quote has as extraData.
//!
//! Proves that a machine whose memory its processor hides from the owner knew that digest, so the nonce and the server's
//! keys, and asked for the report. It does not prove that the TPM is in that machine, nor, without `measurements` in the
//! policy's `[cpu]`, which machine it was: an operator can have another one sign. That the digest is the right one is V11's.

use super::{Check, CPU};
use crate::case::Case;
use crate::cpu;
use crate::outcome::{CheckResult, Failure, Stop};
use vitrine_attest::digest::hex;

pub const CHECK: Check = Check { code: CPU, title: "the processor vouches for the same keys", run };

fn run(case: &Case) -> CheckResult {
    let Some(given) = &case.demands.cpu else {
        return Err(Stop::Skipped("not given: no processor's report (--cpu-evidence)"));
    };
    let verified = cpu::verify(given, &case.demands.policy.cpu, case.inputs.now)?;
    let attest = case.attest()?;
    let Some(expected) = cpu::report_data(&attest.extra_data) else {
        return Err(Failure::not_reached("the quote's extraData is no digest (V11)").into());
    };
    if !case.same(&expected, &verified.report_data) {
        let detail = "the processor's report is for another quote";
        return Err(
            Failure::differs("cpu-report-data-differs", detail, hex(&expected), hex(&verified.report_data)).into()
        );
    }
    Ok(format!("{}; launch measurement {}", verified.words, hex(&verified.measurement)))
}
