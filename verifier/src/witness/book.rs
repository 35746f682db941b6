//! What a witness remembers, `state.json`, version 1. No I/O.
//!
//! ```json
//! {"digest":"<64 hex>","logs":{"log.example/vitrine":{"keys":["log.example/vitrine+1b4af5dd+ASm1…"],
//!   "last":{"note":"log.example/vitrine\n1482\nZx9…=\n\n— log.example/vitrine bGVy…\n","root":"<64 hex>","size":1482,
//!     "time":1763600000}}},
//!  "v":1}
//! ```
//! `digest` is the SHA-256 of the canonical JSON of `logs`: it finds damage, and says nothing about who wrote the file. `last`
//! is not there before the first cosignature. `note` is the checkpoint as the log has signed it: with another one of the same
//! log that does not agree, it convinces anybody that the log showed two histories. When such a one comes both are kept, as `fork`.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::witness::{by_log_alone, AddCheckpoint, Known};
use vitrine_attest::{Error, Result, Sha256};

const VERSION: u64 = 1;
/// Most logs. Each request writes the whole file, so it has to stay small.
const LOGS_LIMIT: usize = 256;
/// Most keys of one log: a rotation has two.
const KEYS_LIMIT: usize = 16;
/// Largest file in bytes: as many logs with as large notes as can be, and what JSON adds to them.
pub const BOOK_LIMIT: usize = 32 << 20;

/// One log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Key texts; each has the log's origin for its name.
    pub keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// Two checkpoints that a log has signed, of one size with different roots: they convince anybody who has the log's key that it
/// showed two histories. The first pair that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// Was cosigned here.
    pub known: String,
    /// Came later, and was not.
    pub other: String,
}

/// What was cosigned last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    pub size: u64,
    pub root: Sha256,
    /// Of the cosignature, seconds since 1970.
    pub time: u64,
    /// As the log has signed it.
    pub note: String,
}

impl Log {
    /// # Errors
    /// When one cannot be read.
    pub fn keys(&self) -> Result<Vec<NoteKey>> {
        self.keys.iter().map(|key| key.parse()).collect()
    }

    pub fn known(&self) -> Option<Known> {
        self.last.as_ref().map(|last| Known { size: last.size, root: last.root })
    }
}

/// All logs, by origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    pub logs: BTreeMap<String, Log>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    v: u64,
    digest: Sha256,
    logs: Cow<'a, BTreeMap<String, Log>>,
}

impl Book {
    /// # Errors
    /// What is wrong with it. Nothing is repaired: a file that is not whole is not used.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        let version: Version = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if version.v != VERSION {
            return Err(format!("version {} of the form is unknown", version.v));
        }
        let File { v: _, digest, logs } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if digest != digest_of(&logs).map_err(|e| e.what)? {
            return Err("its digest is of another content".into());
        }
        for (origin, log) in logs.iter() {
            check(origin, log).map_err(|why| format!("{origin}: {why}"))?;
        }
        Ok(Self { logs: logs.into_owned() })
    }

    /// # Errors
    /// Never for what [`Self::parse`] has read, or [`Self::add`] and the witness have made of it.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let file = File { v: VERSION, digest: digest_of(&self.logs)?, logs: Cow::Borrowed(&self.logs) };
        let mut bytes = to_canonical_json(&file)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Trusts one more key of a log. False: it was trusted before.
    ///
    /// # Errors
    /// When it is a witness's, or there are too many.
    pub fn add(&mut self, key: &NoteKey) -> Result<bool> {
        if key.kind() != Kind::Note {
            let what = format!("{} is the key of a witness, not of a log", key.name());
            return Err(Error::input(what, "give the log's key: it begins with A, not B, behind the last +"));
        }
        if !self.logs.contains_key(key.name()) && self.logs.len() >= LOGS_LIMIT {
            return Err(Error::input(
                format!("there are {LOGS_LIMIT} logs already"),
                "make another witness for this one",
            ));
        }
        let (log, text) = (self.logs.entry(key.name().into()).or_default(), key.to_string());
        if log.keys.contains(&text) {
            return Ok(false);
        }
        if log.keys.len() >= KEYS_LIMIT {
            let what = format!("{} has {KEYS_LIMIT} keys already", key.name());
            return Err(Error::input(what, "ask the log's operator which keys are still in use"));
        }
        log.keys.push(text);
        Ok(true)
    }

    /// What is to be remembered of a checkpoint that was refused: that it is a fork, if it is one and the first. None: nothing.
    pub fn with_fork(&self, request: &AddCheckpoint) -> Option<Self> {
        let (origin, new) = (&request.checkpoint.origin, &request.checkpoint);
        let log = self.logs.get(origin).filter(|log| log.fork.is_none())?;
        let last = log.last.as_ref().filter(|last| last.size == new.size && last.root != new.root)?;
        let signed = !request.note.signers(&log.keys().ok()?).ok()?.is_empty();
        let fork = Fork { known: last.note.clone(), other: by_log_alone(&request.signed).ok().filter(|_| signed)? };
        let mut book = self.clone();
        book.logs.get_mut(origin)?.fork = Some(fork);
        Some(book)
    }

    /// The latest time in any cosignature of this witness; 0 if there is none.
    pub fn latest(&self) -> u64 {
        self.logs.values().filter_map(|log| Some(log.last.as_ref()?.time)).max().unwrap_or(0)
    }
}

fn digest_of(logs: &BTreeMap<String, Log>) -> Result<Sha256> {
    Ok(Sha256::of(&to_canonical_json(logs)?))
}

/// Whether the parts of one log agree.
fn check(origin: &str, log: &Log) -> std::result::Result<(), String> {
    let keys = log.keys().map_err(|e| e.what)?;
    if keys.is_empty() || keys.iter().any(|key| key.name() != origin) {
        return Err("its keys are not those of this log".into());
    }
    let checkpoint = |note: &str| {
        let note = Note::parse(note.as_bytes())?;
        if note.signers(&keys)?.is_empty() {
            return Err("no key of it has signed its note".into());
        }
        Checkpoint::parse(note.text())
    };
    if let Some(last) = &log.last {
        if checkpoint(&last.note)? != (Checkpoint { origin: origin.into(), size: last.size, root: last.root }) {
            return Err("its note is of another checkpoint".into());
        }
    }
    if let Some(fork) = &log.fork {
        let (known, other) = (checkpoint(&fork.known)?, checkpoint(&fork.other)?);
        if known.origin != origin || other.origin != origin || known.size != other.size || known.root == other.root {
            return Err("its fork is none".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use vitrine_attest::note::sign;
    use vitrine_attest::witness::to_text;

    const LOG: &str = "log.example/vitrine";

    fn key(seed: u8) -> NoteKey {
        NoteKey::new(LOG, SigningKey::from_bytes(&[seed; 32]).verifying_key()).unwrap()
    }

    fn note(size: u64, root: char, seed: u8) -> String {
        let text = format!("{LOG}\n{size}\n{}A=\n", root.to_string().repeat(42));
        format!("{text}\n{}", sign(&text, LOG, &SigningKey::from_bytes(&[seed; 32]), None).unwrap())
    }

    fn book() -> Book {
        let mut book = Book::default();
        assert!(book.add(&key(1)).unwrap() && !book.add(&key(1)).unwrap() && book.add(&key(2)).unwrap());
        let last = Last { size: 7, root: Sha256::ZERO, time: 99, note: note(7, 'A', 1) };
        book.logs.get_mut(LOG).unwrap().last = Some(last);
        book
    }

    fn offered(note: &str) -> Option<Book> {
        book().with_fork(&AddCheckpoint::parse(to_text(7, &[], note).as_bytes()).unwrap())
    }

    #[test]
    fn forks_are_kept() {
        assert!(offered(&note(7, 'A', 1)).is_none(), "the same");
        assert!(offered(&note(8, 'B', 1)).is_none(), "another size");
        assert!(offered(&note(7, 'B', 3)).is_none(), "signed by a stranger");
        let forked = offered(&note(7, 'B', 2)).unwrap();
        assert_eq!(Book::parse(&forked.to_bytes().unwrap()).unwrap(), forked);
        let fork = forked.logs[LOG].fork.clone().unwrap();
        assert_eq!((fork.known, fork.other), (note(7, 'A', 1), note(7, 'B', 2)));
        let third = AddCheckpoint::parse(to_text(7, &[], &note(7, 'C', 1)).as_bytes()).unwrap();
        assert!(forked.with_fork(&third).is_none(), "one is enough");
        for other in [note(7, 'A', 2), note(8, 'B', 1), note(7, 'B', 3)] {
            let mut bent = forked.clone();
            bent.logs.get_mut(LOG).unwrap().fork.as_mut().unwrap().other = other;
            assert!(Book::parse(&bent.to_bytes().unwrap()).is_err());
        }
    }

    #[test]
    fn round_trip() {
        for book in [Book::default(), book()] {
            let bytes = book.to_bytes().unwrap();
            assert_eq!(Book::parse(&bytes).unwrap(), book);
            assert!(bytes.ends_with(b"}\n"));
        }
        assert_eq!((Book::default().latest(), book().latest()), (0, 99));
    }

    /// Each with a right digest: not damage, but another's mistake.
    #[test]
    fn parts_that_do_not_agree() {
        let bend = |bend: fn(&mut Last)| {
            let mut book = book();
            bend(book.logs.get_mut(LOG).unwrap().last.as_mut().unwrap());
            Book::parse(&book.to_bytes().unwrap()).unwrap_err()
        };
        assert!(bend(|last| last.size = 6).contains("another checkpoint"));
        assert!(bend(|last| last.root.0[0] = 1).contains("another checkpoint"));
        assert!(bend(|last| last.note = String::new()).contains("empty line"));
        let mut moved = book();
        let log = moved.logs.remove(LOG).unwrap();
        moved.logs.insert("log.example/other".into(), log);
        assert!(Book::parse(&moved.to_bytes().unwrap()).unwrap_err().contains("not those of this log"));
        let mut unsigned = book();
        unsigned.logs.get_mut(LOG).unwrap().keys.remove(0);
        assert!(Book::parse(&unsigned.to_bytes().unwrap()).unwrap_err().contains("no key of it"));
    }

    #[test]
    fn damage_is_found() {
        let whole = String::from_utf8(book().to_bytes().unwrap()).unwrap();
        for bad in [
            String::new(),
            whole[..whole.len() / 2].into(),
            whole.replace("\"time\":99", "\"time\":98"),
            whole.replace("\"v\":1", "\"v\":2"),
            whole.replace("\"v\":1", "\"v\":1,\"w\":1"),
        ] {
            assert!(Book::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_that_are_not_taken() {
        let secret = SigningKey::from_bytes(&[1; 32]);
        let witness = NoteKey::of_kind(Kind::Cosignature, LOG, secret.verifying_key()).unwrap();
        assert!(Book::default().add(&witness).unwrap_err().what.contains("of a witness"));
        let mut book = Book::default();
        for seed in 0..KEYS_LIMIT as u8 {
            book.add(&key(seed)).unwrap();
        }
        assert!(book.add(&key(99)).is_err());
        for n in 1..LOGS_LIMIT {
            book.add(&NoteKey::new(&format!("log{n}.example"), secret.verifying_key()).unwrap()).unwrap();
        }
        assert!(book.add(&NoteKey::new("one.more", secret.verifying_key()).unwrap()).is_err());
        assert!(book.to_bytes().unwrap().len() < BOOK_LIMIT);
    }
}
