//! What a verdict does not prove. Printed with every report, accepted or not.

use crate::app_report::AppReport;
use crate::case::Case;
use crate::clock::{date, timestamp};
use crate::exchange::Source;
use crate::memory::{Memory, Off};
use crate::promise::Giver;
use crate::verdict::Level;

/// For every verdict.
const ALWAYS: [&str; 7] = [
    "that nothing was broken into since boot: a quote shows what was started and what it recorded then",
    "what a hypervisor, a management controller or a router outside the server records",
    "that nobody with physical access reads or drives the bus to the TPM, or resets the TPM alone",
    "that a virtual TPM was not copied or rolled back: with a cloud's TPM you trust the cloud",
    "that no newer release has replaced this one",
    "that the image does what its recipe says: read the recipe and rebuild it",
    "anything about traffic outside the tunnel with the WireGuard key above",
];

/// When the image has a program of the operator's own.
const OWN_PROGRAM: &str =
    "that the operator's own program keeps nothing of a request in its memory, or answers truly: the audit looks for \
     logging and storing in its sources, and its sandbox lets nothing out but the answer";

/// When the statement was asked for where it is judged.
const CHOSEN: &str =
    "that it is the release you mean: the server chose one that your key has signed; a policy can say which";

/// The list for one verdict.
pub fn not_proven(case: &Case, level: Option<Level>) -> Vec<String> {
    let mut list: Vec<String> = ALWAYS.iter().map(|line| (*line).into()).collect();
    list.insert(4, cpu(case, level));
    list.insert(5, logged(case));
    list.push(revoked(case).into());
    if case.release().is_ok_and(|release| AppReport::of(release).is_some()) {
        list.push(OWN_PROGRAM.into());
    }
    list.push(firmware(case));
    list.extend(rollback(case));
    if case.inputs.promise.givers().statement == Giver::Server {
        list.push(CHOSEN.into());
    }
    if level.is_none_or(|level| level < Level::L2) {
        list.insert(0, "that there is a real TPM: the operator could run one in software".into());
    }
    match &case.inputs.exchange.source {
        Source::Server(_) => {}
        Source::Record(_) => list.insert(0, "that the server is still the same, and that the file is true".into()),
        Source::Evidence(_) => list.insert(0, "that the server exists now: the file may be old".into()),
        Source::Beacon(_) => list.insert(0, after(case)),
    }
    list
}

/// How new a beacon is.
fn after(case: &Case) -> String {
    match case.inputs.exchange.asked {
        Some(time) => {
            format!("that the server is still the same: the beacon was made at some time after {}", timestamp(time))
        }
        None => {
            "that the server is still the same: no witness of yours says when the beacon's checkpoint was there".into()
        }
    }
}

/// What a proof of a log leaves open, or that there is none.
fn logged(case: &Case) -> String {
    match (&case.demands.policy.log, case.inputs.promise.proof()) {
        (Some(policy), Some(_)) if policy.trust.wants_witnesses() => {
            "that others are shown the same log, unless the witnesses of your log policy are independent of the operator \
             and of each other; nor what was logged after the proof, such as a revocation; \
             trees of other sizes that the log has signed were not compared"
        }
        (Some(_), Some(_)) => {
            "that others are shown the same log: no witness is demanded; nor what was logged after the proof"
        }
        _ => "that the statement is in a public log, and that others are shown the same one",
    }
    .into()
}

/// What the processor has not said.
fn cpu(case: &Case, level: Option<Level>) -> String {
    #[cfg(feature = "cpu-evidence")]
    if level == Some(Level::L3) {
        return match case.demands.policy.cpu.measurements.as_slice() {
            [] => {
                "that the machine with the hidden memory is this server: its launch measurement was not judged".into()
            }
            _ => {
                "that the TPM is in the machine with the hidden memory: only its launch measurement was compared".into()
            }
        };
    }
    let _ = (case, level);
    "that memory is hidden from the machine's owner: there is no CPU report (level L3)".into()
}

/// Nobody can show that something was not said.
fn revoked(case: &Case) -> &'static str {
    match case.demands.published.revocations {
        None => "that this release was not revoked: no revocation list was given",
        Some(_) => "that this release was not revoked in a list that you were not given",
    }
}

/// What was asked for is not shown by a quote either.
fn firmware(case: &Case) -> String {
    let policy = &case.demands.policy;
    let pinned = if policy.pins_firmware() {
        "PCR 0-3 were compared in the firmware's log only, which no quote covers"
    } else {
        "PCR 0-3 are not compared"
    };
    let minimum = match policy.min_firmware {
        Some(_) => "",
        None => ", and no minimum version of the TPM's firmware is asked for",
    };
    format!("which firmware runs: {pinned}{minimum}")
}

/// How far back rollback could not be seen.
fn rollback(case: &Case) -> Option<String> {
    Some(match &case.demands.memory {
        Memory::Off(Off::Declined) => "rollback: nothing is remembered of this server (--no-state)".into(),
        Memory::Off(Off::FromFile) => "rollback: a file is compared with nothing unless --state names what".into(),
        memory => {
            let record = memory.of(&case.server_id().ok()?);
            match record {
                None => "rollback: the server is first seen, so there is nothing to compare it with".into(),
                Some(record) => format!("rollback before {}, when the server was first seen", date(record.first_seen)),
            }
        }
    })
}
