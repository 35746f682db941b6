//! V16: the TPM's clock is safe, and neither it nor the TPM's counters have gone back since the server was last accepted.
//!
//! Safe: the TPM never reported a greater value than this one. Then reset count, restart count, clock, boot keys and
//! attestation key are compared with what is remembered ([`crate::memory`], where the table of what may change stands).
//! Proves that no copy of the TPM's state from before the last accepted check was put back. It says nothing about the
//! time before a server was first seen, and nothing when nothing is remembered.

use super::Check;
use crate::case::Case;
use crate::clock::date;
use crate::memory::{problem, remarks, stood_still, Book, Memory, ServerId};
use crate::outcome::{CheckResult, Failure};

pub const CHECK: Check = Check { code: "V16", title: "the TPM's clock is safe and nothing has gone back", run };

fn run(case: &Case) -> CheckResult {
    let clock = case.attest()?.clock;
    if !clock.safe {
        let detail =
            "the TPM lost power without notice and its clock has not caught up yet; this takes up to 70 minutes";
        return Err(Failure::new("clock-not-safe", detail).into());
    }
    let words = match &case.demands.memory {
        Memory::Off(_) => "nothing is remembered to compare them with".into(),
        Memory::Kept { before, now } => remembered(case, before, now)?,
    };
    Ok(format!("{} resets, {} restarts; {words}", clock.reset_count, clock.restart_count))
}

fn remembered(case: &Case, before: &Book, now: &Book) -> CheckResult {
    let (server, boot) = (case.server_id()?, case.boot()?);
    if let Some(failure) = before.get(&server).and_then(|record| problem(&record.boot, &boot)) {
        return Err(failure.into());
    }
    let Some(record) = now.get(&server) else { return Ok(first_seen(case, now, &server)) };
    // another verifier may have asked after us and have written before us
    let (older, newer) =
        if record.boot.position() <= boot.position() { (&record.boot, &boot) } else { (&boot, &record.boot) };
    match problem(older, newer) {
        Some(failure) => Err(failure.into()),
        None => {
            let mut words =
                format!("known since {}, last accepted {}", date(record.first_seen), date(record.last_seen));
            // a file is from when it was asked for, whenever it is looked at
            let still = case.inputs.exchange.asked.and_then(|at| stood_still(record, &boot, at));
            for remark in remarks(&record.boot, &boot).into_iter().chain(still) {
                words = format!("{words}; {remark}");
            }
            Ok(words)
        }
    }
}

fn first_seen(case: &Case, now: &Book, server: &ServerId) -> String {
    match now.another_at(case.inputs.exchange.source.name(), server) {
        None => "first seen".into(),
        Some((other, record)) => format!(
            "first seen; another TPM answered at this address when it was last accepted, {}: {}",
            date(record.last_seen),
            other.0.short()
        ),
    }
}
