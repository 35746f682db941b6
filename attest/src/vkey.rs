//! Key text of signed notes (C2SP signed-note, "Verifier keys"): how a release key is published.
//!
//! Form: `<name>+<hex8 key id>+<base64(type ‖ key)>`, where the key id is the first four bytes of
//! `SHA-256(name ‖ 0x0A ‖ type ‖ key)`. Type 0x01 is Ed25519; releases are signed with no other. 0x04 is Ed25519 over a
//! checkpoint with a time: a witness's. Sample:
//! ```text
//! example.org/release+1b4af5dd+ASm1vtJMLOuz9qG5i4/AV3rQe5PXMIyKRwEN+g1gDvLJ
//! ```

use crate::digest::{hex, unhex};
use crate::{Error, Result, Sha256};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::VerifyingKey;
use std::fmt;
use std::str::FromStr;

/// What a key signs; the number is the type byte of C2SP notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The note's text.
    Note = 0x01,
    /// A checkpoint and the time at which it was seen (C2SP tlog-cosignature).
    Cosignature = 0x04,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Note, Self::Cosignature].into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// Longest key text that is read, in bytes. Names are host names with a path; ours are far shorter.
pub const TEXT_LIMIT: usize = 1024;

/// A named Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: Kind,
    key: VerifyingKey,
}

impl NoteKey {
    /// # Errors
    /// When the name is empty or holds white space or `+` (the text form could not be cut again), or when the
    /// key is one of the eight weak points under which one signature fits many messages.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self> {
        Self::of_kind(Kind::Note, name, key)
    }

    /// # Errors
    /// As for [`NoteKey::new`].
    pub fn of_kind(kind: Kind, name: &str, key: VerifyingKey) -> Result<Self> {
        if name.is_empty()
            || name.len() > 255
            || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(malformed(format!("\"{}\" cannot be a key name", name.escape_debug())));
        }
        if key.is_weak() {
            return Err(malformed("the key is a weak point of the curve".into()));
        }
        Ok(Self { name: name.into(), kind, key })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Four bytes that tell keys of one name apart. A hint, never a proof.
    pub fn id(&self) -> [u8; 4] {
        let digest = Sha256::of_parts(&[self.name.as_bytes(), b"\n", &[self.kind as u8], self.key.as_bytes()]);
        [digest.0[0], digest.0[1], digest.0[2], digest.0[3]]
    }

    /// Reads the key text of a log or a witness.
    ///
    /// # Errors
    /// When it is no key text, or the key is of a type that is not known here.
    pub fn of_log(text: &str) -> Result<Self> {
        // base64 has `+` too, so only the first two separate
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(malformed("it has not the form <name>+<key id>+<base64>".into()));
        };
        let id = unhex(id).map_err(|e| malformed(format!("key id: {e}")))?;
        let typed = STANDARD.decode(typed).map_err(|e| malformed(format!("key: {e}")))?;
        let (&byte, key) = typed.split_first().ok_or_else(|| malformed("the key is empty".into()))?;
        let kind = Kind::of(byte).ok_or_else(|| {
            let which = if byte == 0x06 { ", ML-DSA-44," } else { "" };
            malformed(format!("key type {byte:#04x}{which} is neither Ed25519 (0x01) nor a witness's (0x04)"))
        })?;
        let key: [u8; 32] =
            key.try_into().map_err(|_| malformed(format!("the key has {} bytes, not 32", key.len())))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed("the key is no point of the curve".into()))?;
        let note_key = Self::of_kind(kind, name, key)?;
        if note_key.id() != *id {
            return Err(malformed(format!("key id is {}, expected {}", hex(&id), hex(&note_key.id()))));
        }
        Ok(note_key)
    }

    /// Reads a `release.pub` file: the key text, and at most one line end after it.
    pub fn from_file(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > TEXT_LIMIT {
            return Err(malformed(format!("it is longer than {TEXT_LIMIT} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not text".into()))?;
        text.strip_suffix('\n').unwrap_or(text).parse()
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind as u8], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(typed))
    }
}

impl FromStr for NoteKey {
    type Err = Error;

    /// A key that signs releases: of type Ed25519.
    fn from_str(text: &str) -> Result<Self> {
        let key = Self::of_log(text)?;
        match key.kind {
            Kind::Note => Ok(key),
            Kind::Cosignature => Err(malformed("key type 0x04 is a witness's, not Ed25519 (0x01)".into())),
        }
    }
}

fn malformed(what: String) -> Error {
    Error::input(format!("release key: {what}"), "take the one line of the operator's `release.pub` as it is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    /// From golang.org/x/mod/sumdb/note's example: made by another program.
    const PEER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    fn sample() -> NoteKey {
        NoteKey::new("example.org/release", SigningKey::from_bytes(&[7; 32]).verifying_key()).unwrap()
    }

    #[test]
    fn another_programs_key_is_read_and_written_back() {
        let key: NoteKey = PEER.parse().unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(hex(&key.id()), "c74f20a3");
        assert_eq!(key.to_string(), PEER);
    }

    #[test]
    fn round_trip() {
        let text = sample().to_string();
        assert_eq!(NoteKey::from_file(format!("{text}\n").as_bytes()).unwrap(), sample());
        assert!(NoteKey::from_file(format!("{text}\n\n").as_bytes()).is_err());
    }

    #[test]
    fn refusals() {
        let text = sample().to_string();
        let bad = [
            String::new(),
            text.replace("example", "other"),
            text.replacen('+', " +", 1),
            text[..text.len() - 4].into(),
            format!("{text}AAAA"),
            text.replace("+A", "+B"),
            format!("{text}\r"),
            "a+00000000+".into(),
        ];
        for bad in bad {
            assert!(bad.parse::<NoteKey>().is_err(), "{bad} was taken");
        }
        assert!(NoteKey::new("a b", *sample().key()).is_err());
        let weak = VerifyingKey::from_bytes(&{
            let mut identity = [0; 32];
            identity[0] = 1;
            identity
        });
        assert!(weak.is_err() || NoteKey::new("a", weak.unwrap()).is_err());
    }
}
