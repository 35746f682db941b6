//! The file for monitoring: Prometheus' text form 0.0.4, as its node exporter reads it from a folder (`*.prom`).
//!
//! ```text
//! vitrine_fleet_servers{state="accepted"} 2
//! vitrine_fleet_server_state{server="zurich-1",state="accepted"} 1
//! vitrine_fleet_server_accepted_age_seconds{server="zurich-1"} 12
//! ```
//! Names of servers are the operator's. Nothing in it comes from a server.

use super::track::State;
use super::view::View;
use std::fmt::Write as _;

/// Upper ends of the classes of durations, in milliseconds.
const CLASSES: [u32; 7] = [50, 100, 500, 1_000, 5_000, 15_000, 60_000];

/// How long looks took, without waiting for a worker.
#[derive(Debug, Default)]
pub struct Durations {
    /// Those of each class, and longer ones.
    counts: [u64; CLASSES.len() + 1],
    /// Milliseconds.
    sum: u64,
}

impl Durations {
    pub fn add(&mut self, milliseconds: u32) {
        let class = CLASSES.iter().position(|most| milliseconds <= *most).unwrap_or(CLASSES.len());
        self.counts[class] += 1;
        self.sum += u64::from(milliseconds);
    }

    pub fn looks(&self) -> u64 {
        self.counts.iter().sum()
    }
}

pub fn text(view: &View<'_>) -> String {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: &str| {
        if !lines.is_empty() {
            let _ = write!(out, "# HELP vitrine_fleet_{name} {help}\n# TYPE vitrine_fleet_{name} {kind}\n{lines}");
        }
    };
    let mut lines = String::new();
    for state in State::ALL {
        let _ = writeln!(lines, "vitrine_fleet_servers{{state=\"{}\"}} {}", state.name(), view.count(state));
    }
    family("servers", "gauge", "Servers by state.", &lines);
    let [mut states, mut ages, mut times, mut silent] = [const { String::new() }; 4];
    for (member, track) in view.servers() {
        let server = label(&member.name);
        let state = track.state().name();
        let _ = writeln!(states, "vitrine_fleet_server_state{{server=\"{server}\",state=\"{state}\"}} 1");
        if let Some(accepted) = track.accepted {
            let age = view.now.saturating_sub(accepted);
            let _ = writeln!(ages, "vitrine_fleet_server_accepted_age_seconds{{server=\"{server}\"}} {age}");
            let _ =
                writeln!(times, "vitrine_fleet_server_accepted_timestamp_seconds{{server=\"{server}\"}} {accepted}");
        }
        if track.silent > 0 {
            let _ = writeln!(silent, "vitrine_fleet_server_unanswered_looks{{server=\"{server}\"}} {}", track.silent);
        }
    }
    family("server_state", "gauge", "The state of each server.", &states);
    family("server_accepted_age_seconds", "gauge", "Since a server was accepted last, when this was written.", &ages);
    family("server_accepted_timestamp_seconds", "gauge", "When a server was accepted last.", &times);
    family("server_unanswered_looks", "gauge", "Looks in a row without an answer.", &silent);
    family("look_seconds", "histogram", "Durations of looks.", &histogram(view.durations));
    let written = format!("vitrine_fleet_written_timestamp_seconds {}\n", view.now);
    family("written_timestamp_seconds", "gauge", "When this was written: if it is old, nobody watches.", &written);
    out
}

fn histogram(durations: &Durations) -> String {
    let mut lines = String::new();
    let mut count = 0;
    for (most, in_class) in CLASSES.iter().zip(durations.counts) {
        count += in_class;
        let _ = writeln!(lines, "vitrine_fleet_look_seconds_bucket{{le=\"{}\"}} {count}", f64::from(*most) / 1000.0);
    }
    let (all, sum) = (durations.looks(), durations.sum);
    let _ = writeln!(lines, "vitrine_fleet_look_seconds_bucket{{le=\"+Inf\"}} {all}");
    let _ = writeln!(lines, "vitrine_fleet_look_seconds_sum {}.{:03}", sum / 1000, sum % 1000);
    let _ = writeln!(lines, "vitrine_fleet_look_seconds_count {all}");
    lines
}

/// Prometheus' escapes of a label's value.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::track::tests::{accepted, track};
    use super::*;
    use crate::commands::watch::state::Seen;

    #[test]
    fn a_whole_file() {
        let text_ = "version = 1\n[defaults]\nstatement = \"s\"\nkey = \"k\"\n[[server]]\nname = 'a \"b\\c'\nurl = \"http://a:1\"\n[[server]]\nname = \"z\"\nurl = \"http://a:2\"\n";
        let fleet = crate::fleet::parse(text_, std::path::Path::new("")).unwrap();
        let tracks = [track(vec![(accepted(1, 0), 90)]), track(vec![(Seen::Unreachable("<>".into()), 95)])];
        let mut durations = Durations::default();
        [50, 51, 70_000].into_iter().for_each(|milliseconds| durations.add(milliseconds));
        let view = View { fleet: &fleet, tracks: &tracks, durations: &durations, now: 100, started: 1 };
        let text = text(&view);
        for line in [
            "vitrine_fleet_servers{state=\"accepted\"} 1",
            "vitrine_fleet_servers{state=\"rejected\"} 0",
            "vitrine_fleet_server_state{server=\"a \\\"b\\\\c\",state=\"accepted\"} 1",
            "vitrine_fleet_server_accepted_age_seconds{server=\"a \\\"b\\\\c\"} 10",
            "vitrine_fleet_server_state{server=\"z\",state=\"unreachable\"} 1",
            "vitrine_fleet_server_unanswered_looks{server=\"z\"} 1",
            "vitrine_fleet_look_seconds_bucket{le=\"0.05\"} 1",
            "vitrine_fleet_look_seconds_bucket{le=\"0.1\"} 2",
            "vitrine_fleet_look_seconds_bucket{le=\"60\"} 2",
            "vitrine_fleet_look_seconds_bucket{le=\"+Inf\"} 3",
            "vitrine_fleet_look_seconds_sum 70.101",
            "vitrine_fleet_written_timestamp_seconds 100",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("<>") && text.ends_with('\n'));
        let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert_eq!(families.len(), 7, "{families:?}");
    }
}
