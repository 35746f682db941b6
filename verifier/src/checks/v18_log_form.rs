//! V18: the firmware's log has the standard's form, and events say what their digests say.
//!
//! Spec ID Event03, a SHA-256 digest with every event, StartupLocality only where it may stand (see
//! [`vitrine_attest::event_log`]); and where an event's digest is the hash of its data, it fits. The log explains; it
//! decides nothing (V15 does).

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::event_log::EventLog;
use vitrine_attest::pcr::Pcr;

pub const CHECK: Check = Check { code: "V18", title: "the firmware's log is well-formed", run };

fn run(case: &Case) -> CheckResult {
    let log = EventLog::parse(&case.evidence()?.firmware_log).map_err(|e| Failure::new("log-malformed", e.what))?;
    log.require_sha256().map_err(|e| Failure::new("log-without-sha256", e.what))?;
    let quoted = |pcr: u32| Pcr::QUOTED.iter().any(|quoted| u32::from(quoted.index()) == pcr);
    match log.events.iter().find(|event| quoted(event.pcr) && event.data_fits() == Some(false)) {
        None => Ok(format!("{} events", log.events.len())),
        Some(event) => {
            let detail = format!("data of the {} event at byte {} does not fit its digest", event.kind, event.offset);
            Err(Failure::new("event-data-altered", detail).into())
        }
    }
}
