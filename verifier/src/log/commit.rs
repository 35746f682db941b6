//! The commit record of a log: a checkpoint that the log signed, and the entries that lead to it. One file or object, so that a
//! promise is never there without what it promises.
//!
//! ```text
//! vitrine-log-commit v1
//! 187                          bytes of the note
//! log.example/vitrine …        the note: checkpoint with the log's own signatures
//! vitrine-log-stage v1 …       the stage of the last change; nothing, when there was none yet
//! ```

use super::stage::{Stage, FILE_LIMIT};
use vitrine_attest::note::{Checkpoint, NOTE_LIMIT};
use vitrine_attest::vkey::NoteKey;

const VERSION: &str = "vitrine-log-commit v1\n";
/// Largest record.
pub(super) const COMMIT_LIMIT: usize = FILE_LIMIT + NOTE_LIMIT + 64;

/// What the log has promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub(super) note: String,
    pub(super) stage: Option<Stage>,
}

impl Commit {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{VERSION}{}\n{}", self.note.len(), self.note).into_bytes();
        bytes.extend(self.stage.iter().flat_map(Stage::to_bytes));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote. Says nothing about who signed it.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes.strip_prefix(VERSION.as_bytes()).ok_or("it is no commit record of this version")?;
        let end = rest.iter().take(8).position(|byte| *byte == b'\n').ok_or("its second line is no number")?;
        let digits = std::str::from_utf8(&rest[..end]).map_err(|_| "its second line is no number")?;
        let length = digits.parse::<usize>().ok().filter(|length| length.to_string() == digits);
        let (note, stage) = rest[end + 1..]
            .split_at_checked(length.ok_or("its second line is no number")?)
            .ok_or("it is cut off in its note")?;
        let stage = match stage {
            [] => None,
            stage => Some(Stage::parse(stage).ok_or("its entries are not whole")?),
        };
        let note = String::from_utf8(note.to_vec()).map_err(|_| "its note is no UTF-8")?;
        Ok(Self { note, stage })
    }

    /// The checkpoint, which this log has to have signed with one of these keys, its own.
    ///
    /// # Errors
    /// When it is none, or somebody else's.
    pub(super) fn by(&self, origin: &str, keys: &[NoteKey]) -> Result<Checkpoint, String> {
        let checkpoint = Checkpoint::signed(self.note.as_bytes(), keys)?;
        match checkpoint.origin == origin {
            true => Ok(checkpoint),
            false => Err("it is of another log".into()),
        }
    }

    /// The same, the newest signature among them: else another machine has changed the log's key, and who goes on without it would
    /// take that back.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "object-storage")]
    pub(super) fn by_newest(&self, origin: &str, keys: &[NoteKey]) -> Result<Checkpoint, String> {
        let checkpoint = self.by(origin, keys)?;
        let last = self.note.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
        match Checkpoint::signed(format!("{}\n{last}\n", checkpoint.to_text()).as_bytes(), keys) {
            Ok(_) => Ok(checkpoint),
            Err(_) => Err("its newest signature is by a key that this machine does not have".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::tile::push_entry;

    #[test]
    fn whole_or_nothing() {
        let mut entries = vec![];
        push_entry(&mut entries, b"one").unwrap();
        let whole =
            Commit { note: "a/b\n8\nx\n\n— a/b AAAA\n".into(), stage: Some(Stage { old: 7, count: 1, entries }) };
        let empty = Commit { stage: None, ..whole.clone() };
        let bytes = whole.to_bytes();
        assert_eq!(Commit::parse(&bytes), Ok(whole));
        for end in 0..bytes.len() {
            let cut = Commit::parse(&bytes[..end]);
            assert!(cut.is_err() || cut.as_ref() == Ok(&empty), "cut at {end}");
        }
        for length in ["", "07", "+7", "99999999999999999999", "99"] {
            assert!(Commit::parse(format!("{VERSION}{length}\nabc").as_bytes()).is_err(), "{length}");
        }
    }
}
