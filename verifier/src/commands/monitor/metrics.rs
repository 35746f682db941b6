//! The file for monitoring: Prometheus' text form 0.0.4.
//!
//! Names of logs and servers are the person's. Nothing else in it comes from a log or a server.

use super::log::known;
use super::page::View;
use crate::monitor::Kind;
use std::fmt::Write as _;

pub(super) fn text(view: &View<'_>) -> String {
    let mut out = String::new();
    let mut family = |name: &str, help: &str, lines: &str| {
        if !lines.is_empty() {
            let _ = write!(out, "# HELP vitrine_monitor_{name} {help}\n# TYPE vitrine_monitor_{name} gauge\n{lines}");
        }
    };
    let mut lines = String::new();
    for kind in Kind::ALL {
        let count = view.state.alerts.iter().filter(|alert| alert.is_open() && alert.kind == kind).count();
        let _ = writeln!(lines, "vitrine_monitor_open_alerts{{kind=\"{}\"}} {count}", kind.word());
    }
    family("open_alerts", "Alerts that nobody has taken note of, by kind.", &lines);
    let [mut entries, mut read, mut releases, mut looked, mut since] = [const { String::new() }; 5];
    for watched in view.watched {
        let Some(log) = view.state.logs.get(&watched.origin) else { continue };
        let name = label(&watched.origin);
        let size = known(Some(log)).map_or(0, |snapshot| snapshot.checkpoint.size);
        let _ = writeln!(entries, "vitrine_monitor_log_entries{{log=\"{name}\"}} {size}");
        let _ = writeln!(read, "vitrine_monitor_log_entries_read{{log=\"{name}\"}} {}", log.read.size);
        let _ = writeln!(releases, "vitrine_monitor_log_releases{{log=\"{name}\"}} {}", log.releases.len());
        let _ = writeln!(looked, "vitrine_monitor_log_seen_timestamp_seconds{{log=\"{name}\"}} {}", log.looked);
        if let Some(time) = log.since {
            let _ = writeln!(since, "vitrine_monitor_log_cosigned_timestamp_seconds{{log=\"{name}\"}} {time}");
        }
    }
    family("log_entries", "Entries of the newest checkpoint that follows on all before.", &entries);
    family("log_entries_read", "Entries that were read and judged.", &read);
    family("log_releases", "Releases by the expected keys.", &releases);
    family("log_seen_timestamp_seconds", "When a checkpoint was seen last.", &looked);
    family("log_cosigned_timestamp_seconds", "Since when a quorum of witnesses has signed it.", &since);
    let mut servers = String::new();
    for (name, server) in &view.state.servers {
        let _ =
            writeln!(servers, "vitrine_monitor_server_state{{server=\"{}\",state=\"{}\"}} 1", label(name), server.seen);
    }
    family("server_state", "The state of each server.", &servers);
    let troubles = format!("vitrine_monitor_troubles {}\n", view.troubles.len());
    family("troubles", "What could not be looked at.", &troubles);
    let dropped = format!("vitrine_monitor_dropped_alerts {}\n", view.state.dropped);
    family("dropped_alerts", "Alerts that there was no room for.", &dropped);
    let written = format!("vitrine_monitor_written_timestamp_seconds {}\n", view.now);
    family("written_timestamp_seconds", "When this was written: if it is old, nobody looks.", &written);
    out
}

/// Prometheus' escapes of a label's value.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
