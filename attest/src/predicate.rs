//! What a kind of statement has to say beyond its form, and how all kinds are signed and read.
//!
//! Every statement is an entry of a log: as a canonical envelope it has at most 65,535 bytes. Kinds: a release
//! ([`crate::statement`]), what the screen says ([`crate::zero_log`]), what the behavioural proof says
//! ([`crate::zero_log_report`]), [`crate::revocation`], [`crate::rebuild_verdict`], [`crate::fleet_epoch`].

use crate::canonical::to_canonical_json;
use crate::dsse::{self, Envelope};
use crate::statement::{Statement, Subject};
use crate::tile::ENTRY_LIMIT;
use crate::vkey::MaybeEd25519;
use crate::{Error, Result};
use ed25519_dalek::SigningKey;
use serde::de::DeserializeOwned;
use serde::Serialize;

/// The predicate of one kind of statement.
pub trait Predicate: Serialize + DeserializeOwned {
    /// `predicateType`.
    const TYPE: &'static str;

    /// What the form alone does not say.
    ///
    /// # Errors
    /// Why it is refused, in words.
    fn check(&self, subject: &[Subject]) -> std::result::Result<(), String>;
}

/// Reads the payload alone, without any signature.
///
/// # Errors
/// [`crate::Blame::Artefact`] when it is of another kind, not in canonical form, or contradicts itself.
pub fn read<P: Predicate>(payload: &[u8]) -> Result<Statement<P>> {
    let statement = Statement::<P>::from_payload(payload, P::TYPE).map_err(refused::<P>)?;
    statement.predicate.check(&statement.subject).map_err(refused::<P>)?;
    Ok(statement)
}

/// Checks the signature, then reads the statement out of the signed bytes.
///
/// Proves that the holder of `key` signed exactly this; whether it is true is not shown.
///
/// # Errors
/// As [`read`], and when no signature is by this key.
pub fn verify<P: Predicate>(envelope: &Envelope, key: &impl MaybeEd25519) -> Result<Statement<P>> {
    read(dsse::verify_payload(envelope, key)?)
}

/// Signs what would be read again. The same statement and key give the same envelope.
///
/// # Errors
/// [`crate::Blame::Input`] when it contradicts itself, or is larger than an entry of a log.
pub fn sign<P: Predicate>(subject: Vec<Subject>, predicate: P, key: &SigningKey) -> Result<Envelope> {
    let statement = Statement::about(subject, P::TYPE, predicate);
    let payload = to_canonical_json(&statement)?;
    let wrong = |e: Error| Error::input(e.what, "correct what is to be signed");
    read::<P>(&payload).map_err(wrong)?;
    let envelope = dsse::sign_payload(payload, key);
    let size = envelope.to_json()?.len();
    if size > ENTRY_LIMIT {
        let what = format!("{}: {size} bytes, an entry of a log has at most {ENTRY_LIMIT}", P::TYPE);
        return Err(Error::input(what, "say it shorter"));
    }
    Ok(envelope)
}

/// A text for people, inside a statement.
///
/// # Errors
/// When it is longer than this many bytes, or has control characters.
pub(crate) fn text(name: &str, text: &str, limit: usize) -> std::result::Result<(), String> {
    if text.len() > limit {
        return Err(format!("{name} has {} bytes, more than {limit}", text.len()));
    }
    if text.contains(char::is_control) {
        return Err(format!("{name} has control characters"));
    }
    Ok(())
}

/// The subjects' SHA-256. Each has to have one, and nothing else.
///
/// # Errors
/// When there is none, or one is named otherwise.
pub(crate) fn subjects(subject: &[Subject]) -> std::result::Result<Vec<crate::Sha256>, String> {
    let sha256 = |subject: &Subject| subject.sha256().filter(|_| subject.digest.len() == 1);
    match subject.iter().map(sha256).collect::<Option<Vec<_>>>() {
        Some(found) if !found.is_empty() => Ok(found),
        _ => Err("it has to have a subject, and each subject a SHA-256 and no other digest".into()),
    }
}

fn refused<P: Predicate>(why: String) -> Error {
    Error::artefact(format!("{}: {why}", P::TYPE), "get it again from who signed it")
}
