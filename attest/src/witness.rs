//! What a log asks a witness, and what the witness makes of it (C2SP tlog-witness).
//!
//! Body of `POST <prefix>/add-checkpoint`:
//! ```text
//! old 1024                     entries of the checkpoint that the witness has cosigned last
//! Zx9…=                        hashes of the consistency proof from there to the new one, base64
//! …
//!
//! log.example/vitrine          the new checkpoint, signed by the log, see [`crate::note`]
//! 1482
//! Qm9…=
//!
//! — log.example/vitrine bGVy…
//! ```
//! The answer is the witness's signature line. It says that this witness has seen only this one history of the log; it does
//! **not** prove that what is in the log is true, nor that other witnesses have seen the same.

use crate::merkle;
use crate::note::{hash, number, Checkpoint, Note, NOTE_LIMIT};
use crate::vkey::NoteKey;
use crate::Sha256;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use std::fmt;

/// Behind the witness's address.
pub const PATH: &str = "/add-checkpoint";
/// Of the body that tells how far the witness is.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// Largest body of a request in bytes, and largest answer that is read.
pub const BODY_LIMIT: usize = NOTE_LIMIT;
/// Most hashes of a proof (the standard's number).
const PROOF_LIMIT: usize = 63;
/// Longest number of entries with its line end: 20 digits.
const SIZE_LIMIT: usize = 21;

/// A request whose form is right. Whether it is granted, [`judge`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    pub old: u64,
    pub proof: Vec<Sha256>,
    pub note: Note,
    pub checkpoint: Checkpoint,
    /// The note as it was sent.
    pub signed: String,
}

impl AddCheckpoint {
    /// # Errors
    /// What is wrong with its form. Nothing is repaired.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        if body.len() > BODY_LIMIT {
            return Err(format!("the request has more than {BODY_LIMIT} bytes"));
        }
        let text = std::str::from_utf8(body).map_err(|_| "the request is no UTF-8")?;
        let (head, signed) = text.split_once("\n\n").ok_or("the request has no empty line before its checkpoint")?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| number(line.strip_prefix("old ")?));
        let old = old.ok_or("the request does not begin with the old size")?;
        let proof = lines.map(hash).collect::<Option<Vec<_>>>();
        let proof = proof.ok_or("a line of the proof is no SHA-256 in base64")?;
        if proof.len() > PROOF_LIMIT {
            return Err(format!("the proof has more than {PROOF_LIMIT} hashes"));
        }
        let note = Note::parse(signed.as_bytes())?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { old, proof, note, checkpoint, signed: signed.into() })
    }
}

/// The bytes of a request; `checkpoint` is a whole signed note.
pub fn to_text(old: u64, proof: &[Sha256], checkpoint: &str) -> String {
    let hashes: String = proof.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
    format!("old {old}\n{hashes}\n{checkpoint}")
}

/// What a witness has cosigned last of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub size: u64,
    pub root: Sha256,
}

/// Why a witness does not sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It does not witness this log.
    UnknownOrigin,
    /// No key of this log has signed, or a signature does not hold.
    NotSigned(String),
    /// The old size is above the new one.
    OldTooLarge,
    /// The witness is elsewhere: it has cosigned this size last; or this very size with another root.
    Conflict { size: u64 },
    /// The new tree does not contain the one that was cosigned, or is empty and has not the root of one.
    BadProof,
}

impl Refusal {
    /// Of the answer, as the standard has it.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownOrigin => 404,
            Self::NotSigned(_) => 403,
            Self::OldTooLarge => 400,
            Self::Conflict { .. } => 409,
            Self::BadProof => 422,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOrigin => f.write_str("this log is not witnessed here"),
            Self::NotSigned(why) => f.write_str(why),
            Self::OldTooLarge => f.write_str("the old size is above the checkpoint's"),
            Self::Conflict { size } => write!(f, "{size} entries were cosigned last"),
            Self::BadProof => f.write_str("the proof does not lead from the last checkpoint to this one"),
        }
    }
}

/// Whether a witness may cosign. `known` is what it cosigned last of this origin, none if nothing; `keys` are those that it
/// trusts for it, none if it does not witness this log. The order is the standard's.
///
/// # Errors
/// Why not.
pub fn judge(known: Option<&Known>, request: &AddCheckpoint, keys: &[NoteKey]) -> Result<(), Refusal> {
    let new = &request.checkpoint;
    let keys: Vec<NoteKey> = keys.iter().filter(|key| key.is_of(&new.origin)).cloned().collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownOrigin);
    }
    if request.note.signers(&keys).map_err(Refusal::NotSigned)?.is_empty() {
        return Err(Refusal::NotSigned("no key of this log has signed the checkpoint".into()));
    }
    if request.old > new.size {
        return Err(Refusal::OldTooLarge);
    }
    let known = known.copied().unwrap_or(Known { size: 0, root: merkle::root_of_nothing() });
    if request.old != known.size {
        return Err(Refusal::Conflict { size: known.size });
    }
    // the draft of the next version has this before the roots are compared
    if new.size == 0 && new.root != merkle::root_of_nothing() {
        return Err(Refusal::BadProof);
    }
    if request.old == new.size && known.root != new.root {
        return Err(Refusal::Conflict { size: known.size });
    }
    if !merkle::consistent((known.size, known.root), (new.size, new.root), &request.proof) {
        return Err(Refusal::BadProof);
    }
    Ok(())
}

/// The body that tells how far the witness is.
pub fn size_text(size: u64) -> String {
    format!("{size}\n")
}

/// Reads [`size_text`].
pub fn parse_size(body: &[u8]) -> Option<u64> {
    let text = body.get(..body.len().min(SIZE_LIMIT + 1)).and_then(|bytes| std::str::from_utf8(bytes).ok())?;
    number(text.strip_suffix('\n')?)
}

/// A witness's signature line, with its end, and the time in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignatureLine {
    pub line: String,
    /// Seconds since 1970.
    pub time: u64,
}

/// Finds the line of this witness under a checkpoint's text in an answer; lines by others are left out.
///
/// # Errors
/// When there is none that holds, or the answer is not made of signature lines.
pub fn cosignature(answer: &[u8], text: &str, key: &NoteKey) -> Result<CosignatureLine, String> {
    if !key.kind().is_witness() {
        return Err(format!("{} is no key of a witness", key.name()));
    }
    let lines = std::str::from_utf8(answer).map_err(|_| "the answer is no UTF-8")?;
    let key = std::slice::from_ref(key);
    let time = |lines: &str| -> Result<Option<u64>, String> {
        let note = Note::parse(format!("{text}\n{lines}").as_bytes())?;
        if note.text() != text {
            return Err("there is more than signatures in the answer".into());
        }
        Ok(note.signers(key)?.first().and_then(|signer| signer.time))
    };
    time(lines)?; // as a whole: one bad signature in the witness's name, and none counts
    for line in lines.split_inclusive('\n') {
        if let Some(time) = time(line)? {
            return Ok(CosignatureLine { line: line.into(), time });
        }
    }
    Err(format!("{} has not signed the answer", key[0].name()))
}

/// A checkpoint with only those signatures that are in the log's own name: witnesses need no others, and have limits.
///
/// # Errors
/// When it is no checkpoint, or the log has not signed.
pub fn by_log_alone(checkpoint: &str) -> Result<String, String> {
    let note = Note::parse(checkpoint.as_bytes())?;
    let beginning = format!("\u{2014} {} ", Checkpoint::parse(note.text())?.origin);
    let lines = &checkpoint[note.text().len() + 1..];
    let own: String = lines.split_inclusive('\n').filter(|line| line.starts_with(&beginning)).collect();
    if own.is_empty() {
        return Err("the log has not signed its checkpoint".into());
    }
    Ok(format!("{}\n{own}", note.text()))
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
