//! V21: the statement is signed by the given key, agrees with itself, has not run out, and is not older than the one that
//! this server was last accepted with.
//!
//! Proves that the key's holder promised this image and these values. It does not prove that the statement is in a
//! public log, that it is the newest, or that the promise about the image's content is true.

use super::Check;
use crate::case::Case;
use crate::clock::date;
use crate::memory::older_statement;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::calendar::Date;

pub const CHECK: Check = Check { code: "V21", title: "the statement is signed by the given key", run };

fn run(case: &Case) -> CheckResult {
    let statement =
        case.statement().as_ref().map_err(|e| Failure::new("statement-signature-invalid", e.what.clone()))?;
    if let Some(contradiction) = case.inputs.promise.contradiction() {
        return Err(contradiction.clone().into());
    }
    let today = date(case.inputs.now);
    match &statement.predicate.not_after {
        Some(last) if last.parse::<Date>().is_err() => {
            Err(Failure::new("statement-inconsistent", "its last day is no date of the form 2027-11-20").into())
        }
        Some(last) if *last < today => {
            Err(Failure::differs("statement-expired", "last day of the statement", last, today).into())
        }
        _ => remembered(case).map(|words| format!("key {}{words}", case.inputs.promise.key().name())),
    }
}

/// What is new since, in words.
fn remembered(case: &Case) -> CheckResult {
    // evidence that cannot be read has no server to remember, and fails elsewhere
    let Ok(server) = case.server_id() else { return Ok(String::new()) };
    let Some(record) = case.demands.memory.of(&server) else { return Ok(String::new()) };
    let (before, now) = (&record.release, case.release_seen()?);
    match older_statement(before, &now) {
        Some(failure) => Err(failure.into()),
        None if before.fingerprint == now.fingerprint => Ok(String::new()),
        None => Ok(format!(
            "; another image or configuration than when it was last accepted: {} {}, sequence number {}",
            before.image, before.version, before.seq
        )),
    }
}
