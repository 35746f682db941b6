//! Key text of signed notes (C2SP signed-note, "Verifier keys"): how a release key is published.
//!
//! Form: `<name>+<hex8 key id>+<base64(0x01 ‖ key)>`, where the key id is the first four bytes of
//! `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)` and 0x01 stands for Ed25519. Sample:
//! ```text
//! example.org/release+1b4af5dd+ASm1vtJMLOuz9qG5i4/AV3rQe5PXMIyKRwEN+g1gDvLJ
//! ```

use crate::digest::{hex, unhex};
use crate::{Error, Result, Sha256};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::VerifyingKey;
use std::fmt;
use std::str::FromStr;

/// Signature type byte of Ed25519 in C2SP notes.
const ED25519: u8 = 0x01;
/// Longest key text that is read, in bytes. Names are host names with a path; ours are far shorter.
pub const TEXT_LIMIT: usize = 1024;

/// A named Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: VerifyingKey,
}

impl NoteKey {
    /// # Errors
    /// When the name is empty or holds white space or `+` (the text form could not be cut again), or when the
    /// key is one of the eight weak points under which one signature fits many messages.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self> {
        if name.is_empty()
            || name.len() > 255
            || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(malformed(format!("\"{}\" cannot be a key name", name.escape_debug())));
        }
        if key.is_weak() {
            return Err(malformed("the key is a weak point of the curve".into()));
        }
        Ok(Self { name: name.into(), key })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Four bytes that tell keys of one name apart. A hint, never a proof.
    pub fn id(&self) -> [u8; 4] {
        let digest = Sha256::of_parts(&[self.name.as_bytes(), b"\n", &[ED25519], self.key.as_bytes()]);
        [digest.0[0], digest.0[1], digest.0[2], digest.0[3]]
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
        let typed = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(typed))
    }
}

impl FromStr for NoteKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // base64 has `+` too, so only the first two separate
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(malformed("it has not the form <name>+<key id>+<base64>".into()));
        };
        let id = unhex(id).map_err(|e| malformed(format!("key id: {e}")))?;
        let typed = STANDARD.decode(typed).map_err(|e| malformed(format!("key: {e}")))?;
        let key = match typed.split_first() {
            Some((&ED25519, key)) => key,
            Some((kind, _)) => return Err(malformed(format!("key type {kind:#04x} is not Ed25519 (0x01)"))),
            None => return Err(malformed("the key is empty".into())),
        };
        let key: [u8; 32] =
            key.try_into().map_err(|_| malformed(format!("the key has {} bytes, not 32", key.len())))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed("the key is no point of the curve".into()))?;
        let note_key = Self::new(name, key)?;
        if note_key.id() != *id {
            return Err(malformed(format!("key id is {}, expected {}", hex(&id), hex(&note_key.id()))));
        }
        Ok(note_key)
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
