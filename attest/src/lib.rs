//! The words everybody in Vitrine shares: digests, PCRs, event logs, quotes, evidence, statements.
//!
//! No I/O, no clock, no C library of a TPM: every function here takes bytes and gives a value,
//! so it can be unit-tested, fuzzed, and reused by somebody who trusts nothing else of ours.
#![forbid(unsafe_code)]

pub mod app_facts;
pub mod attachments;
pub mod batch;
pub mod boot;
pub mod calendar;
pub mod canonical;
pub mod config;
pub mod credential;
mod cursor;
pub mod digest;
pub mod dsse;
pub mod ek;
pub mod entry;
pub mod error;
pub mod event_log;
pub mod evidence;
pub mod expected;
pub mod explain;
pub mod fingerprint;
pub mod fleet_epoch;
pub mod gpt_event;
pub mod inside;
pub mod lengths;
pub mod log_index;
pub mod merkle;
#[cfg(feature = "ml-dsa")]
pub mod ml_dsa;
pub mod note;
pub mod order;
pub mod pcr;
pub mod pe;
pub mod peers;
pub mod predicate;
pub mod predict;
pub mod private_key;
pub mod rebuild_verdict;
pub mod revocation;
pub mod rotation;
pub mod section;
pub mod secure_boot;
mod signer;
pub mod statement;
pub mod stub_cpio;
mod testing;
pub mod tile;
pub mod tlog_policy;
pub mod tlog_proof;
pub mod tpm;
pub mod vkey;
pub mod watch;
pub mod witness;
pub mod zero_log;
pub mod zero_log_report;

pub use digest::Sha256;
pub use error::{Blame, Error, Result};
