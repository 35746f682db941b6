//! TCG event logs: what the firmware says it extended into the PCRs.
//!
//! Standard: TCG PC Client Platform Firmware Profile 1.05, §10 (`TCG_PCR_EVENT`, `TCG_PCR_EVENT2`, Spec ID Event03).
//! A log is untrusted text: it is worth something only where replaying it gives the PCR values a TPM has signed, and
//! even then an event's data may say anything that its digest does not cover. It explains; it decides nothing.
//!
//! Nothing is repaired: a log that is cut off, counts wrongly or breaks a rule is refused with the byte where it does.

mod algorithm;
mod kind;
mod parse;
mod replay;
mod text;

pub use algorithm::Algorithm;
pub use kind::EventKind;
pub use text::{printable, EventView};

use crate::{Error, Result};

/// Longest log read, in bytes (check V01). Linux caps its own at 1 MiB or less; real ones are 2–100 KiB.
pub const LOG_LIMIT: usize = 1 << 20;
/// Most events read (check V01). Real logs have 30–200.
pub const EVENT_LIMIT: usize = 4096;
/// Registers of a TPM (PC Client Platform TPM Profile, §4.6).
pub const PCR_COUNT: u32 = 24;

const HINT: &str = "read the log again from the machine; if it stays, its firmware writes no usable log";

fn refused(offset: usize, why: impl std::fmt::Display) -> Error {
    Error::artefact(format!("event log, byte {offset}: {why}"), HINT)
}

/// Which of the two forms a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `TCG_PCR_EVENT` throughout: one SHA-1 digest an event. TPM 1.2 and early TPM 2.0 firmware.
    Sha1,
    /// `TCG_PCR_EVENT2` after a Spec ID Event03 header: one digest for each bank.
    CryptoAgile,
}

/// One digest of an event, as long as its algorithm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest<'a> {
    pub algorithm: Algorithm,
    pub bytes: &'a [u8],
}

/// One event. Slices point into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where it begins in the log.
    pub offset: usize,
    /// Below 24 for every event that extends; EV_NO_ACTION may carry anything.
    pub pcr: u32,
    pub kind: EventKind,
    /// At most one for each algorithm of the header.
    pub digests: Vec<Digest<'a>>,
    pub data: &'a [u8],
}

impl<'a> Event<'a> {
    /// EV_NO_ACTION informs; every other event extends its PCR (§10.4.1).
    pub fn extends(&self) -> bool {
        self.kind != EventKind::NO_ACTION
    }
    pub fn digest(&self, algorithm: Algorithm) -> Option<&'a [u8]> {
        self.digests.iter().find(|digest| digest.algorithm == algorithm).map(|digest| digest.bytes)
    }
}

/// A parsed log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog<'a> {
    pub form: Form,
    /// The banks that the header names, in its order; SHA-1 alone for [`Form::Sha1`].
    pub algorithms: Vec<Algorithm>,
    /// Locality of TPM2_Startup: PCR 0 begins with this value instead of zero (§10.4.5.3).
    pub startup_locality: Option<u8>,
    /// Without the Spec ID header.
    pub events: Vec<Event<'a>>,
}

impl<'a> EventLog<'a> {
    /// Reads a log, see `parse.rs` for the rules.
    ///
    /// # Errors
    /// When it is longer than [`LOG_LIMIT`], has more than [`EVENT_LIMIT`] events, is cut off, or breaks a rule.
    pub fn parse(log: &'a [u8]) -> Result<Self> {
        parse::log(log)
    }

    /// What the verifier asks of a log beyond being readable (check V18): crypto-agile, with a SHA-256 bank, and every
    /// extending event has a digest of it.
    ///
    /// # Errors
    /// Says what lacks it.
    pub fn require_sha256(&self) -> Result<()> {
        if self.form == Form::Sha1 {
            return Err(refused(0, "a SHA-1 log: there is no Spec ID Event03 header"));
        }
        if !self.algorithms.contains(&Algorithm::SHA256) {
            return Err(refused(0, "it has no bank sha256"));
        }
        match self.events.iter().find(|event| event.extends() && event.digest(Algorithm::SHA256).is_none()) {
            Some(event) => Err(refused(event.offset, "the event has no SHA-256 digest")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod peer_tests;
#[cfg(test)]
mod tests;
