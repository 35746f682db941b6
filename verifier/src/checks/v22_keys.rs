//! V22: the runtime log is exactly the three events of a sealed boot with these keys.
//!
//! `config` (the statement's configuration), `keys` (those that V11 binds, and the attestation key), `cap` (no block
//! devices, no swap, root read-only, modules locked), in this order and no other. One event of the server's watch may follow. PCR 15 cannot be reset, so a later
//! swap of keys would show. That the TPM has measured these events is V15's.
//!
//! WireGuard keys made since have to be signed by the boot's signing key, which PCR 15 holds, for this boot and this
//! configuration, and the configuration has to ask for rotation. It does not prove that a later key is not held back.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::boot::RuntimeEvent;
use vitrine_attest::digest::hex;
use vitrine_attest::rotation;
use vitrine_attest::watch::Violation;

pub const CHECK: Check = Check { code: "V22", title: "the keys are those recorded at boot", run };

/// In the order of [`vitrine_attest::boot`].
const EVENTS: [(&str, &str); 3] = [
    ("runtime-config-differs", "the image recorded another configuration"),
    ("runtime-keys-differ", "the image recorded other keys than those in the evidence"),
    ("runtime-facts-differ", "the image found a disk, swap, a writable root, or could not lock modules"),
];

fn run(case: &Case) -> CheckResult {
    events(case.recorded()?, of_the_boot(&case.evidence()?.runtime_log))?;
    rotated(case)
}

/// Without what the watch found later, one event at most: that is V20's to refuse.
fn of_the_boot(log: &[RuntimeEvent]) -> &[RuntimeEvent] {
    match log.split_last() {
        Some((last, boot)) if Violation::of(last).is_some() => boot,
        _ => log,
    }
}

fn events(expected: &[RuntimeEvent], got: &[RuntimeEvent]) -> Result<(), Failure> {
    if got.len() != expected.len() {
        let detail = "number of events in the runtime log";
        return Err(Failure::differs("runtime-log-differs", detail, expected.len(), got.len()));
    }
    for ((expected, got), (reason, detail)) in expected.iter().zip(got).zip(EVENTS) {
        if expected.body != got.body {
            return Err(Failure::differs(reason, detail, hex(&expected.body), hex(&got.body)));
        }
        if expected != got {
            let words = |e: &RuntimeEvent| format!("event {} in PCR {}, {}", e.seq, e.pcr, e.digest);
            let detail = "an event's place or digest does not fit its body";
            return Err(Failure::differs("runtime-log-differs", detail, words(expected), words(got)));
        }
    }
    Ok(())
}

fn rotated(case: &Case) -> CheckResult {
    let (evidence, release) = (case.evidence()?, case.release()?);
    let Some(newest) = evidence.rotated.last() else { return Ok(String::new()) };
    if release.config.wireguard.rotation.is_none() {
        let detail = "the server offers later WireGuard keys, and its configuration does not rotate any";
        return Err(Failure::new("rotation-not-configured", detail).into());
    }
    if let Some(wrong) = rotation::problem(&evidence.rotated, &release.config_digest, &evidence.keys) {
        return Err(Failure::new(wrong.code(), wrong.to_string()).into());
    }
    Ok(format!("WireGuard key of generation {}, signed by the boot's key", newest.generation))
}
