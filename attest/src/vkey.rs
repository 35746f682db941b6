//! Key text of signed notes (C2SP signed-note, "Verifier keys"): how a release key is published.
//!
//! Form: `<name>+<hex8 key id>+<base64(type ‖ key)>`, where the key id is the first four bytes of
//! `SHA-256(name ‖ 0x0A ‖ type ‖ key)`. Type 0x01 is Ed25519; releases are signed with no other. 0x04 is Ed25519 over a
//! checkpoint with a time: a witness's. 0x06 is a witness's, too, of ML-DSA-44, and read with the feature `ml-dsa` only. Sample:
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
    /// The same with ML-DSA-44, in a form of its own (there).
    MlDsa44 = 0x06,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Note, Self::Cosignature, Self::MlDsa44].into_iter().find(|&kind| kind as u8 == byte)
    }

    /// Whether such keys sign what somebody has seen, with a time, and not for themselves.
    pub fn is_witness(self) -> bool {
        self != Self::Note
    }
}

/// Longest key text that is read, in bytes: a name of 255, and an ML-DSA-44 key of 1312 in base64. Ours are far shorter.
pub const TEXT_LIMIT: usize = 2048;

/// A public key without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    Ed25519(VerifyingKey),
    #[cfg(feature = "ml-dsa")]
    MlDsa44(crate::ml_dsa::PublicKey),
}

impl PublicKey {
    /// As they stand in a key text, after the type.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(key) => key.as_bytes(),
        }
    }

    fn read(kind: Kind, bytes: &[u8]) -> std::result::Result<Self, String> {
        let length = |wanted: usize| format!("the key has {} bytes, not {wanted}", bytes.len());
        match kind {
            Kind::Note | Kind::Cosignature => {
                let key: &[u8; 32] = bytes.try_into().map_err(|_| length(32))?;
                VerifyingKey::from_bytes(key).map(Self::Ed25519).map_err(|_| "the key is no point of the curve".into())
            }
            #[cfg(feature = "ml-dsa")]
            Kind::MlDsa44 => {
                let key = crate::ml_dsa::PublicKey::from_bytes(bytes);
                key.map(Self::MlDsa44).ok_or_else(|| length(crate::ml_dsa::KEY_LENGTH))
            }
            #[cfg(not(feature = "ml-dsa"))]
            Kind::MlDsa44 => Err("key type 0x06, ML-DSA-44, needs a program with the feature `ml-dsa`; \
                this one knows Ed25519 (0x01) and a witness's (0x04)"
                .into()),
        }
    }

    fn signs_as(&self, kind: Kind) -> bool {
        match self {
            Self::Ed25519(_) => kind != Kind::MlDsa44,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(_) => kind == Kind::MlDsa44,
        }
    }
}

impl From<VerifyingKey> for PublicKey {
    fn from(key: VerifyingKey) -> Self {
        Self::Ed25519(key)
    }
}

#[cfg(feature = "ml-dsa")]
impl From<crate::ml_dsa::PublicKey> for PublicKey {
    fn from(key: crate::ml_dsa::PublicKey) -> Self {
        Self::MlDsa44(key)
    }
}

/// Keys that may be Ed25519; statements are signed with no others.
pub trait MaybeEd25519 {
    fn ed25519(&self) -> Option<&VerifyingKey>;
}

impl MaybeEd25519 for VerifyingKey {
    fn ed25519(&self) -> Option<&VerifyingKey> {
        Some(self)
    }
}

impl MaybeEd25519 for PublicKey {
    fn ed25519(&self) -> Option<&VerifyingKey> {
        match self {
            Self::Ed25519(key) => Some(key),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(_) => None,
        }
    }
}

/// A named public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: Kind,
    key: PublicKey,
}

impl NoteKey {
    /// # Errors
    /// When the name is empty or holds white space or `+` (the text form could not be cut again), or when the
    /// key is one of the eight weak points under which one signature fits many messages.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self> {
        Self::of_kind(Kind::Note, name, key)
    }

    /// # Errors
    /// As for [`NoteKey::new`], and when such a key does not sign so.
    pub fn of_kind(kind: Kind, name: &str, key: impl Into<PublicKey>) -> Result<Self> {
        let key = key.into();
        if name.is_empty()
            || name.len() > 255
            || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(malformed(format!("\"{}\" cannot be a key name", name.escape_debug())));
        }
        if !key.signs_as(kind) {
            return Err(malformed(format!("the key is not one of type {:#04x}", kind as u8)));
        }
        if key.ed25519().is_some_and(VerifyingKey::is_weak) {
            return Err(malformed("the key is a weak point of the curve".into()));
        }
        Ok(Self { name: name.into(), kind, key })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a log of this name signs with it: no witness, and no other log.
    pub fn is_of(&self, origin: &str) -> bool {
        self.kind == Kind::Note && self.name == origin
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
            malformed(format!("key type {byte:#04x} is neither Ed25519 (0x01) nor a witness's (0x04, 0x06)"))
        })?;
        let key = PublicKey::read(kind, key).map_err(malformed)?;
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
        let typed = [&[self.kind as u8], self.key.as_bytes()].concat();
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
            witness => Err(malformed(format!("key type {:#04x} is a witness's, not Ed25519 (0x01)", witness as u8))),
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
        assert!(NoteKey::new("a b", *sample().key().ed25519().unwrap()).is_err());
        let weak = VerifyingKey::from_bytes(&{
            let mut identity = [0; 32];
            identity[0] = 1;
            identity
        });
        assert!(weak.is_err() || NoteKey::new("a", weak.unwrap()).is_err());
    }
}
