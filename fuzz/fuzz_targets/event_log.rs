//! Firmware event logs. Invariants, for any bytes:
//! - `parse`, `require_sha256`, every replay, `explain` and the views never panic;
//! - a parsed log keeps its limits, and its events lie inside the bytes, in order, each with its data there;
//! - parsing and replaying are deterministic;
//! - a bank replays exactly if every extending event has its digest, and then to values of its size, for PCRs below 24;
//! - a log that is replayed has no mismatch with its own values, and is not explained away when these are predicted;
//! - shown texts hold no control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::event_log::{Algorithm, EventLog, EventView, EVENT_LIMIT, LOG_LIMIT, PCR_COUNT};
use vitrine_attest::expected::{ExpectedBoot, ExpectedEvent};
use vitrine_attest::explain::explain;
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::Sha256;

fuzz_target!(|data: &[u8]| {
    let Ok(log) = EventLog::parse(data) else { return };
    assert_eq!(EventLog::parse(data).as_ref(), Ok(&log));
    assert!(data.len() <= LOG_LIMIT && log.events.len() <= EVENT_LIMIT);
    places(data, &log);
    for bank in &log.algorithms {
        replays(&log, *bank);
    }
    explains(&log);
});

fn places(data: &[u8], log: &EventLog<'_>) {
    let mut end = 0;
    for event in &log.events {
        assert!(event.offset >= end && !event.extends() || event.pcr < PCR_COUNT);
        let at = event.data.as_ptr() as usize - data.as_ptr() as usize;
        assert!(event.offset < at && at + event.data.len() <= data.len());
        end = at + event.data.len();
        let view = EventView::from(event);
        assert!(!view.text.chars().any(char::is_control));
    }
    assert!(log.events.is_empty() || end == data.len());
}

fn replays(log: &EventLog<'_>, bank: Algorithm) {
    let values = log.replay(bank);
    assert_eq!(log.replay(bank), values);
    let complete = log.events.iter().filter(|e| e.extends()).all(|e| e.digest(bank).is_some());
    let extends = log.events.iter().any(|e| e.extends());
    assert_eq!(values.is_ok(), complete && (bank.hash(&[]).is_some() || !extends));
    for (pcr, value) in values.unwrap_or_default() {
        assert!(u32::from(pcr) < PCR_COUNT && Some(value.len()) == bank.size());
    }
}

fn explains(log: &EventLog<'_>) {
    let nothing = ExpectedBoot { pcrs: PcrValues::default(), events: vec![] };
    for difference in explain(log, &nothing, "quiet") {
        assert!(difference.expected.is_none() && difference.got.is_some());
        assert!(!difference.to_string().is_empty());
    }
    if log.require_sha256().is_err() {
        return;
    }
    let values = log.replay_sha256().expect("every extending event has a SHA-256 digest");
    assert_eq!(log.mismatches(&values), Ok(vec![]));
    let predicted = log.events.iter().filter(|e| e.extends()).filter_map(|e| {
        let pcr = Pcr::new(u8::try_from(e.pcr).ok()?)?;
        let digest = Sha256(e.digest(Algorithm::SHA256)?.try_into().ok()?);
        Some(ExpectedEvent { pcr, digest, what: String::new() })
    });
    let exact = ExpectedBoot { pcrs: values, events: predicted.collect() };
    assert_eq!(explain(log, &exact, "quiet"), []);
}
