//! A monitor of transparency logs: reads every entry, compares what different people are shown, and keeps what proves a lie.
//!
//! ```text
//! STATE/state.json          what was seen so far, with its SHA-256 in the first line
//! STATE/lock                locked with flock(2) by the one monitor
//! STATE/acknowledged/ID     an alert that a person has taken note of
//! ```
//! No entry is judged before it was hashed into a tree that the log has signed. What a monitor is shown is what it can judge: a
//! log that shows it the truth, and somebody else a lie, is found only by comparing (witnesses, mirrors, evidence that others
//! hand in).

mod alert;
mod changes;
mod config;
mod evidence;
mod follow;
mod release;
mod rules;
mod state;

pub use alert::{short, Alert, Finding, Kind, Proving};
pub use changes::{Changed, Changes};
pub use config::{parse, read, Config, LogAt, ServerAt, Watched, CONFIG_LIMIT};
pub use evidence::{Evidence, Judged, Prefix, Proven, Shown, EVIDENCE_LIMIT};
pub use follow::{compare, read_on, Compared, Part};
pub use release::ReleaseSeen;
pub use rules::Rules;
pub use state::{
    acknowledge, Head, LogState, RevocationSeen, ScreenSeen, ServerState, State, Store, VerdictSeen, ALERTS_LIMIT,
    RELEASES_LIMIT, STATE_LIMIT,
};

#[cfg(test)]
mod tests;
