//! V18: the firmware's log has the standard's form, and events say what their digests say.
//!
//! Spec ID Event03, a SHA-256 digest with every event, StartupLocality only where it may stand (see
//! [`vitrine_attest::event_log`]); where an event's digest is the hash of its data, it fits; and an event that the
//! statement predicts is of a kind that such an event has, so that none can shed the rule before by another name. The log
//! explains; it decides nothing (V15 does).

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::event_log::{Algorithm, Event, EventKind, EventLog};
use vitrine_attest::expected::ExpectedBoot;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::predict::{CALLING, SEPARATOR};
use vitrine_attest::Sha256;

pub const CHECK: Check = Check { code: "V18", title: "the firmware's log is well-formed", run };

fn run(case: &Case) -> CheckResult {
    let log = EventLog::parse(&case.evidence()?.firmware_log).map_err(|e| Failure::new("log-malformed", e.what))?;
    log.require_sha256().map_err(|e| Failure::new("log-without-sha256", e.what))?;
    let quoted = |pcr: u32| Pcr::QUOTED.iter().any(|quoted| u32::from(quoted.index()) == pcr);
    let told: Vec<&Event<'_>> = log.events.iter().filter(|event| event.extends() && quoted(event.pcr)).collect();
    if let Some(event) = told.iter().find(|event| event.data_fits() == Some(false)) {
        let detail = format!("data of the {} event at byte {} does not fit its digest", event.kind, event.offset);
        return Err(Failure::new("event-data-altered", detail).into());
    }
    // without a statement there is nothing to compare with; V21 says so
    let relabelled = |boot: &ExpectedBoot| told.iter().find(|event| !kind_fits(event, boot)).copied();
    if let Some(event) = case.release().ok().and_then(|release| relabelled(&release.boot)) {
        let detail = format!("the event at byte {} is none that PCR {} has under this digest", event.offset, event.pcr);
        return Err(Failure::new("event-kind-altered", format!("{}: {detail}", event.kind)).into());
    }
    Ok(format!("{} events", log.events.len()))
}

/// Whether a predicted event has the kind that firmware, stub and kernel give it. Others are V20's to refuse.
fn kind_fits(event: &Event<'_>, boot: &ExpectedBoot) -> bool {
    let digest = event.digest(Algorithm::SHA256);
    let same = |digest_of: &Sha256| digest == Some(digest_of.0.as_slice());
    let predicted = boot.events.iter().find(|e| u32::from(e.pcr.index()) == event.pcr && same(&e.digest));
    let Some(predicted) = predicted else { return true };
    let kinds: &[EventKind] = match predicted.pcr {
        _ if predicted.digest == Sha256::of(SEPARATOR) => &[EventKind::SEPARATOR],
        _ if predicted.digest == Sha256::of(CALLING) => &[EventKind::EFI_ACTION],
        Pcr::BOOT_LOADER => &[EventKind::EFI_BOOT_SERVICES_APPLICATION],
        Pcr::SECURE_BOOT => &[EventKind::EFI_VARIABLE_DRIVER_CONFIG, EventKind::EFI_VARIABLE_AUTHORITY],
        _ => &[EventKind::IPL, EventKind::EVENT_TAG],
    };
    kinds.contains(&event.kind)
}
