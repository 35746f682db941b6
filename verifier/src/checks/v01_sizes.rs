//! V01: evidence, firmware log and events are within their limits.
//!
//! Proves that the server did not try to tire the verifier out. Says nothing about content.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::event_log::LOG_LIMIT;
use vitrine_attest::evidence::EVIDENCE_LIMIT;

pub const CHECK: Check = Check { code: "V01", title: "evidence is within its size limits", run };

/// Events of [`vitrine_attest::boot`] are three; a log with more is refused by V22, a huge one here.
const RUNTIME_EVENTS_LIMIT: usize = 64;

fn run(case: &Case) -> CheckResult {
    let size = case.inputs.exchange.evidence.len();
    if size > EVIDENCE_LIMIT {
        return Err(Failure::differs("evidence-too-large", "too many bytes", EVIDENCE_LIMIT, size).into());
    }
    let evidence = case.evidence()?;
    if evidence.firmware_log.len() > LOG_LIMIT {
        let got = evidence.firmware_log.len();
        return Err(Failure::differs("log-too-large", "too many bytes in the firmware's log", LOG_LIMIT, got).into());
    }
    if evidence.runtime_log.len() > RUNTIME_EVENTS_LIMIT {
        let got = evidence.runtime_log.len();
        return Err(Failure::differs("too-many-events", "in the runtime log", RUNTIME_EVENTS_LIMIT, got).into());
    }
    Ok(String::new())
}
