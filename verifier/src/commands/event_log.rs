//! `vitrine-verify event-log`: any firmware's log, for people who look for a cause.

use super::Done;
use crate::cli;
use crate::files;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::hex;
use vitrine_attest::event_log::{Algorithm, EventLog, EventView, LOG_LIMIT};
use vitrine_attest::{Error, Result};

type Banks = BTreeMap<String, BTreeMap<u8, String>>;

pub fn run(args: &cli::EventLog) -> Result<Done> {
    let bytes = files::read(&args.file, LOG_LIMIT)?;
    // a log that cannot be read is the person's file here, nobody's evidence
    let log = EventLog::parse(&bytes).map_err(|e| Error::input(e.what, e.hint).within(args.file.display()))?;
    let events: Vec<EventView> = log.events.iter().map(EventView::from).collect();
    let banks = banks(&log);
    Ok(Done::ok(if args.json { json(&events, &banks)? } else { text(&events, &banks) }))
}

/// Replayed values of each bank that can be computed.
fn banks(log: &EventLog<'_>) -> Banks {
    let values = |&bank: &Algorithm| {
        let values = log.replay(bank).ok()?;
        Some((bank.to_string(), values.into_iter().map(|(pcr, value)| (pcr, hex(&value))).collect()))
    };
    log.algorithms.iter().filter_map(values).collect()
}

fn json(events: &[EventView], banks: &Banks) -> Result<String> {
    let value = serde_json::json!({ "v": 1, "events": events, "pcrs": banks });
    Ok(format!("{}\n", String::from_utf8_lossy(&to_canonical_json(&value)?)))
}

fn text(events: &[EventView], banks: &Banks) -> String {
    let mut out = String::new();
    for event in events {
        let fits = if event.data_fits == Some(false) { "  [data does not fit the digest]" } else { "" };
        let _ = writeln!(out, "{:>7}  PCR {:<2}  {}{fits}", event.offset, event.pcr, event.kind);
        for line in [&event.digest, &event.text] {
            if !line.is_empty() {
                let _ = writeln!(out, "         {line}");
            }
        }
    }
    for (bank, values) in banks {
        let _ = write!(out, "\n{bank}\n");
        for (pcr, value) in values {
            let _ = writeln!(out, "  PCR {pcr:<2}  {value}");
        }
    }
    out
}
