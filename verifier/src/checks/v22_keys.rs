//! V22: the runtime log is exactly the three events of a sealed boot with these keys.
//!
//! `config` (the statement's configuration), `keys` (those that V11 binds, and the attestation key), `cap` (no block
//! devices, no swap, root read-only, modules locked), in this order and no other. PCR 15 cannot be reset, so a later
//! swap of keys would show. That the TPM has measured these events is V15's.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::digest::hex;

pub const CHECK: Check = Check { code: "V22", title: "the keys are those recorded at boot", run };

/// In the order of [`vitrine_attest::boot`].
const EVENTS: [(&str, &str); 3] = [
    ("runtime-config-differs", "the image recorded another configuration"),
    ("runtime-keys-differ", "the image recorded other keys than those in the evidence"),
    ("runtime-facts-differ", "the image found a disk, swap, a writable root, or could not lock modules"),
];

fn run(case: &Case) -> CheckResult {
    let expected = case.boot_record()?.events().map_err(|e| Failure::not_reached(&e.what))?;
    let got = &case.evidence()?.runtime_log;
    if got.len() != expected.len() {
        let detail = "number of events in the runtime log";
        return Err(Failure::differs("runtime-log-differs", detail, expected.len(), got.len()).into());
    }
    for ((expected, got), (reason, detail)) in expected.iter().zip(got).zip(EVENTS) {
        if expected.body != got.body {
            return Err(Failure::differs(reason, detail, hex(&expected.body), hex(&got.body)).into());
        }
        if expected != got {
            let words =
                |e: &vitrine_attest::boot::RuntimeEvent| format!("event {} in PCR {}, {}", e.seq, e.pcr, e.digest);
            let detail = "an event's place or digest does not fit its body";
            return Err(Failure::differs("runtime-log-differs", detail, words(expected), words(got)).into());
        }
    }
    Ok(String::new())
}
