//! What a person demands of servers beyond the checks that always run: `--policy FILE`.
//!
//! Without a policy nothing of this is demanded. Each table of the file is a check of its own, so that all failures are
//! reported: `[tpm]` is V17, `[firmware]` V24, `[statement]` and `[[image]]` V25, `[evidence]` V26, `[memory]` V27,
//! `[log]` V29, `[rebuild]` V31.

#[cfg(feature = "cpu-evidence")]
mod cpu;
mod log;
mod parse;
mod version;
mod words;

#[cfg(feature = "cpu-evidence")]
pub use cpu::CpuPolicy;
pub use log::{read_log_policy, LogPolicy};
pub use parse::{parse, read};
pub use version::Dotted;

use crate::verdict::Level;
use serde::Serialize;
use std::collections::BTreeMap;
use vitrine_attest::config::Span;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

/// Largest policy file in bytes.
pub const POLICY_LIMIT: usize = 1 << 20;

/// `vitrine-verify policy example`: everything that can be said, with the values that say nothing.
#[cfg(not(feature = "cpu-evidence"))]
pub const EXAMPLE: &str = include_str!("example.toml");
/// `vitrine-verify policy example`: everything that can be said, with the values that say nothing.
#[cfg(feature = "cpu-evidence")]
pub const EXAMPLE: &str = concat!(include_str!("example.toml"), include_str!("example-cpu.toml"));

/// A policy file. [`Self::default`] demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Lowest level that is accepted.
    pub level: Option<Level>,
    pub registers: Profile,
    pub statement: StatementPolicy,
    /// When there is one, only these are accepted. By the image's name.
    pub images: BTreeMap<String, ImagePolicy>,
    /// Oldest evidence that is accepted.
    pub max_age: Option<Span>,
    /// Least firmware version of the TPM: what it signs as `firmwareVersion`.
    pub min_firmware: Option<u64>,
    /// For PCR 0-3; a register that is not here is observed.
    pub firmware: BTreeMap<Pcr, Pin>,
    pub memory: MemoryPolicy,
    /// Whether the statement has to stand in a log.
    pub log: Option<LogPolicy>,
    pub rebuild: Option<RebuildPolicy>,
    #[cfg(feature = "cpu-evidence")]
    pub cpu: CpuPolicy,
}

/// Which registers a quote has to hold (V14). There is one set today; a policy names it, so that another one can never
/// be taken for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// 4, 7, 9, 11, 12, 13, 14, 15 of the SHA-256 bank.
    #[default]
    Image,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
        }
    }

    /// The TPM's `pcrSelect`.
    pub fn bitmap(self) -> [u8; 3] {
        match self {
            Self::Image => Pcr::quoted_bitmap(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatementPolicy {
    /// When there is one, a statement has to be signed by one of these.
    pub keys: Vec<NoteKey>,
    /// How many of them have to have signed; none: one.
    pub threshold: Option<usize>,
    /// A statement has to end, at most this far from today.
    pub expires_within: Option<Span>,
    pub programs: Programs,
    pub app: OwnProgram,
}

/// A program of the operator's own in the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnProgram {
    /// Whatever it is; the report shows it.
    #[default]
    Any,
    /// None; or an interpreter that runs what was audited, all of it, as the statement tells.
    Audited,
    /// The image has none.
    None,
}

/// Who compiled the programs inside the image, as the statement tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Programs {
    /// Also some host, with whatever it had.
    #[default]
    Any,
    /// A toolchain made from a lock, so that others can compile the same bytes.
    Locked,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImagePolicy {
    pub min_seq: Option<u64>,
    pub min_version: Option<Dotted>,
}

/// What a firmware register may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Anything; it is shown.
    Observed,
    /// One of these.
    OneOf(Vec<Sha256>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// `--no-state`, and files without `--state`, are refused.
    pub required: bool,
    pub first_seen: FirstSeen,
}

/// Others who have to have built the image again, and got the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildPolicy {
    /// How many, 1 or more.
    pub verdicts: usize,
    /// Who; none of them signs releases, and they are at least as many.
    pub keys: Vec<NoteKey>,
}

/// What to do with a server that is not remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstSeen {
    #[default]
    Accept,
    Refuse,
}

impl Policy {
    /// Whether any of PCR 0-3 is compared.
    pub fn pins_firmware(&self) -> bool {
        self.firmware.values().any(|pin| *pin != Pin::Observed)
    }
}

#[cfg(test)]
mod tests;
