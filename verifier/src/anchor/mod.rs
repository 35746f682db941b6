//! Anchors (feature `anchors`): a checkpoint, written down where its log cannot take it back.
//!
//! What an anchor proves: these bytes existed by a time ([`ots`]), or this tree was the newest one that a publisher had shown
//! to continue all of its earlier ones ([`evm`]). What it does **not** prove: that the log signed them, that what is in the
//! log is true, or what a server runs. No keys of any chain are held here, and no chain is asked: the person says which block
//! is the right one.

pub mod bitcoin;
pub mod evm;
pub mod ots;

use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

/// The checkpoint in a note. With keys, one of them has to have signed it in the log's own name; without, nobody was asked.
///
/// # Errors
/// When it is none, or is not signed so.
pub fn checkpoint(bytes: &[u8], keys: Option<&[NoteKey]>) -> Result<Checkpoint> {
    let bad = |what: String| Error::artefact(what, "take the log's file `checkpoint` as it is, and the log's own key");
    let checkpoint = match keys {
        Some(keys) => Checkpoint::signed(bytes, keys),
        None => Note::parse(bytes).and_then(|note| Checkpoint::parse(note.text())),
    };
    checkpoint.map_err(bad)
}
