//! A log in object storage: any number of machines append to it, and there is neither a lock nor a database.
//!
//! ```text
//! <prefix>checkpoint, <prefix>tile/…    as in a folder's `public`
//! <prefix>private/commit                what is promised, and its entries
//! <prefix>private/probe-…               of `log init`, which tries whether the store can keep a log
//! DIR/log.json, log.key, witnesses      on each machine, as of a log in a folder
//! DIR/credentials, DIR/ca.pem           of the bucket, if not in the environment; of the store, if it has a CA of its own
//! ```
//! Nothing is ever deleted or listed.

mod at;
mod client;
mod credentials;
mod init;
mod probe;
mod sign;
mod writer;

pub(super) use client::Bucket;
pub use init::init;
pub(super) use writer::BucketWriter;

use super::commit::{Commit, COMMIT_LIMIT};
use vitrine_attest::{Error, Result};

/// The only objects that change.
const CHECKPOINT: &str = "checkpoint";
const COMMIT: &str = "private/commit";

/// The note of what is promised.
///
/// # Errors
/// When it cannot be had, or is none.
pub(super) fn promise(bucket: &Bucket) -> Result<Vec<u8>> {
    let hint = "append nothing until you know why";
    let object = bucket.get(COMMIT, COMMIT_LIMIT)?;
    let object = object.ok_or_else(|| Error::artefact(format!("{} is not there", bucket.name(COMMIT)), hint))?;
    let commit = Commit::parse(&object.bytes).map_err(|why| Error::artefact(why, hint))?;
    Ok(commit.note.into_bytes())
}
