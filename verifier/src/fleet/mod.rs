//! `FLEET.toml`: which servers are watched, and by what they are judged. No I/O but the reading of that file.
//!
//! ```toml
//! version = 1
//!
//! [defaults]                      # of every server; paths are relative to this file
//! statement = "exit.dsse.json"    # or a list: a server has to fit one of them, as during a roll-out
//! key = "release.pub"             # and/or policy = "policy.toml"
//! ek_roots = "tpm-roots.pem"
//! proof = "exit.tlog-proof"       # or a list: one for each statement
//! log_policy = "log-policy.txt"   # or [log] in the policy
//! revocations = "revocations"     # a file or a folder, and so rebuild_verdicts
//! interval = "5m"                 # between two looks, a tenth more or less
//! timeout = "30s"                 # for each answer
//! concurrency = 16                # servers that are asked at once
//! state = "fleet-state.json"      # or no_state = true
//!
//! [[server]]
//! name = "zurich-1"
//! url = "http://203.0.113.7:8787"
//!
//! [[server]]
//! name = "oslo-1"
//! url = "http://[2001:db8::7]:8787"
//! statement = "dedicated.dsse.json"
//! interval = "1m"
//! ```

mod parse;

pub use parse::{parse, read};

use crate::verdict::Level;
use std::path::PathBuf;
use vitrine_attest::config::Span;

/// Largest file in bytes: the most servers, with 400 bytes each.
pub const FLEET_LIMIT: usize = 8 << 20;
/// Most servers. What is remembered of each takes 1.2 KiB in the state file, which has a limit, too.
pub const SERVERS_LIMIT: usize = 20_000;
/// Longest name of a server, in characters: it stands in lines, labels and on the page.
pub const NAME_LIMIT: usize = 64;
/// Most servers asked at once. Each can send 4 MiB before it is cut off.
pub const CONCURRENCY_LIMIT: u64 = 256;
/// Most statements that one server may fit.
pub const STATEMENTS_LIMIT: usize = 16;

/// A fleet as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    pub concurrency: usize,
    pub memory: Place,
    /// In the order of the file; never empty.
    pub members: Vec<Member>,
    /// What servers are judged by, each kind once.
    pub sources: Vec<Sources>,
}

/// Where accepted servers are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// As `check` does it without `--state`.
    Default,
    Named(PathBuf),
    Off,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The operator's; told apart from all others.
    pub name: String,
    pub url: String,
    /// Index in [`Fleet::sources`].
    pub sources: usize,
    pub interval: Span,
    pub timeout: Span,
}

/// The files that a server is judged by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sources {
    /// At least one.
    pub statements: Vec<PathBuf>,
    /// Of their logs, in the order of the statements; as many as they are, or none.
    pub proofs: Vec<PathBuf>,
    pub log_policy: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub policy: Option<PathBuf>,
    pub ek_roots: Option<PathBuf>,
    pub published: PublishedPaths,
    pub accept_level: Option<Level>,
}

/// Files or folders of what others say about releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPaths {
    pub revocations: Option<PathBuf>,
    pub rebuild_verdicts: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
