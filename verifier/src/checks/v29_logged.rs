//! V29: the statement stands in a public log, as the person's log policy wants it shown.
//!
//! The entry of the log is the statement's envelope in canonical JSON, so that another spelling of the same file still fits.
//! Proves that a listed log has signed a tree with this entry, and that a quorum of witnesses says that it was an extension
//! of what they had seen of that log before. It does not prove that the statement is true, nor, when the witnesses are the
//! operator's friends, that others are shown the same log, nor anything that was said after the checkpoint, as a revocation.

use super::Check;
use crate::case::Case;
use crate::clock::timestamp;
use crate::outcome::{CheckResult, Failure};
use crate::policy::LogPolicy;
use vitrine_attest::config::Span;
use vitrine_attest::tile;
use vitrine_attest::tlog_policy::{Met, Missing};
use vitrine_attest::tlog_proof::Proof;

pub const CHECK: Check = Check { code: "V29", title: "the statement stands in a public log, as demanded", run };

/// Most seconds by which a witness's clock may be before ours.
const AHEAD: u64 = 3600;

fn run(case: &Case) -> CheckResult {
    match (&case.demands.policy.log, case.inputs.promise.proof()) {
        (None, None) => Ok("no log demanded".into()),
        // commands refuse this before anybody is asked
        (None, Some(_)) => {
            Err(Failure::new("log-untrusted", "there is a proof of a log, and nobody said which logs count").into())
        }
        (Some(policy), None) if policy.required => {
            let detail = "a log is demanded, and there is no proof: give --proof FILE";
            Err(Failure::new("proof-missing", detail).into())
        }
        (Some(_), None) => Ok("no proof given, and none required".into()),
        (Some(policy), Some(proof)) => logged(case, policy, proof),
    }
}

fn logged(case: &Case, policy: &LogPolicy, bytes: &[u8]) -> CheckResult {
    let proof = Proof::parse(bytes).map_err(|why| Failure::new("proof-malformed", why))?;
    stands(case, &proof)?;
    let met = policy.trust.judge(&proof.note, &proof.checkpoint).map_err(|missing| {
        let reason = match missing {
            Missing::Signature(_) => "log-signature-bad",
            Missing::Log(_) => "log-untrusted",
            Missing::Quorum { .. } => "quorum-missing",
        };
        Failure::new(reason, missing.to_string())
    })?;
    fresh(policy, &met, case.inputs.now)?;
    one_log(case)?;
    let Met { log, witnesses, since, .. } = met;
    let (index, size) = (proof.index, proof.checkpoint.size);
    let seen = match since {
        Some(since) => format!("seen by {} at {}", witnesses.join(", "), timestamp(since)),
        None => "no witness demanded".into(),
    };
    Ok(format!("entry {index} of {size} in {log}; {seen}"))
}

/// Whether the tree of the checkpoint, whoever signed it, has this entry at this place.
fn stands(case: &Case, proof: &Proof) -> Result<(), Failure> {
    let elsewhere = |detail: String| Failure::new("entry-not-in-log", detail);
    let entry = case.inputs.promise.envelope().to_json().map_err(|e| elsewhere(e.what))?;
    if entry.len() > tile::ENTRY_LIMIT {
        return Err(elsewhere(format!("the statement has {} bytes, more than an entry of a log", entry.len())));
    }
    if !proof.stands(&entry) {
        let detail =
            "the statement is not in the tree of the proof: it is a proof of another statement, or of another log";
        return Err(elsewhere(detail.into()));
    }
    Ok(())
}

/// Whether the log has shown this memory another tree of the same size. A smaller or larger one says nothing offline.
fn one_log(case: &Case) -> Result<(), Failure> {
    let Some((origin, seen)) = case.log_seen() else { return Ok(()) };
    match case.demands.memory.contradicting(&origin, &seen) {
        None => Ok(()),
        Some(known) => {
            let detail =
                "the log has signed two trees of one size: keep both checkpoints (--json has them whole), they \
                          are evidence against it";
            Err(Failure::differs("log-forked", detail, &known.note, &seen.note))
        }
    }
}

/// Counted from the time since which a quorum says that it saw this checkpoint.
fn fresh(policy: &LogPolicy, met: &Met, now: u64) -> Result<(), Failure> {
    if let Some(since) = met.since.filter(|since| *since > now.saturating_add(AHEAD)) {
        let detail = "the witnesses saw the checkpoint at a time that is yet to come; one of the clocks is wrong";
        return Err(Failure::differs("proof-from-the-future", detail, timestamp(now), timestamp(since)));
    }
    let Some(most) = policy.max_age else { return Ok(()) };
    let Some(since) = met.since else {
        return Err(Failure::new("proof-too-old", "no witness is demanded, so nobody says how old the proof is"));
    };
    let age = now.saturating_sub(since);
    if age > most.as_seconds() {
        let detail = "time since a quorum of witnesses saw the checkpoint; ask for a new proof";
        return Err(Failure::differs("proof-too-old", detail, format!("at most {most}"), Span::seconds(age)));
    }
    Ok(())
}
