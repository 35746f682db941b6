//! What the server offers besides the tunnel, and what it forgets by itself.

use super::{Cidr, Span};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attestation {
    /// TCP port the agent answers on (HTTP; what it serves is signed, not secret).
    pub port: u16,
}

impl Attestation {
    /// Where the configuration says nothing, and what a client asks that was told no port.
    pub const PORT: u16 = 8787;
}

impl Default for Attestation {
    fn default() -> Self {
        Self { port: Self::PORT }
    }
}

/// Who may be a client. Never which: peers are personal data and come by the owner's orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Peers {
    /// At most this many.
    pub most: u32,
    /// All of them belong to one customer: what is measured about the server is then measured about a person.
    pub dedicated: bool,
}

/// A table of 10,000 takes some MiB in PID 1, and the kernel some more.
pub const MOST_PEERS: u32 = 10_000;

impl Default for Peers {
    fn default() -> Self {
        Self { most: MOST_PEERS, dedicated: false }
    }
}

/// What is forgotten, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Janitor {
    /// A peer whose last handshake is this long ago is removed and added again, which wipes its endpoint, times and
    /// counters. A session is dead 180 s after its handshake (WireGuard §6.1), so its user sees nothing.
    pub idle: Span,
    /// How often it looks.
    pub tick: Span,
}

impl Default for Janitor {
    fn default() -> Self {
        Self { idle: Span::seconds(180), tick: Span::seconds(10) }
    }
}

/// REJECT_AFTER_TIME.
const SHORTEST_IDLE: Span = Span::seconds(180);
const LONGEST_IDLE: Span = Span::seconds(3600);

impl Janitor {
    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if !(SHORTEST_IDLE..=LONGEST_IDLE).contains(&self.idle) {
            problems.push(format!("janitor.idle is {}, it has to be {SHORTEST_IDLE} to {LONGEST_IDLE}", self.idle));
        }
        if !(Span::seconds(1)..=Span::seconds(60)).contains(&self.tick) {
            problems.push(format!("janitor.tick is {}, it has to be 1s to 60s", self.tick));
        }
    }
}

/// How often PID 1 looks for what must not be; see `docs/watch.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    pub tick: Span,
}

impl Default for Watch {
    fn default() -> Self {
        Self { tick: Span::seconds(10) }
    }
}

impl Watch {
    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if !(Span::seconds(1)..=Span::seconds(60)).contains(&self.tick) {
            problems.push(format!("watch.tick is {}, it has to be 1s to 60s", self.tick));
        }
    }
}

/// How much is told about the server; see `docs/metrics.md`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Nothing: no metrics program runs.
    #[default]
    L0,
    /// The host alone: CPU, memory, uptime, in classes.
    L1,
    /// And the service: throughput, sessions, blocked names, in classes with a floor.
    L2,
}

/// ```toml
/// metrics = { level = "L1", port = 9469, from = ["10.66.0.2/32"], tick = "5m" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    pub level: Level,
    /// TCP, plain HTTP, `/metrics`.
    pub port: u16,
    /// Who may ask. Empty: every client of the tunnel. Networks outside of the tunnel have to be named.
    pub from: Vec<Cidr>,
    /// Values change at these moments only.
    pub tick: Span,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { level: Level::L0, port: 9469, from: vec![], tick: Span::seconds(300) }
    }
}

impl Metrics {
    pub(super) fn problems(&self, dedicated: bool, problems: &mut Vec<String>) {
        if self.port == 0 {
            problems.push("metrics.port is 0".into());
        }
        if dedicated && self.level == Level::L2 {
            problems.push(
                "metrics.level is L2 on a dedicated server: its traffic is one customer's, so that would be a log \
                 of a person; L0 and L1 are possible"
                    .into(),
            );
        }
        if !(Span::seconds(5)..=Span::seconds(3600)).contains(&self.tick) {
            problems.push(format!("metrics.tick is {}, it has to be 5s to 1h", self.tick));
        }
    }
}
