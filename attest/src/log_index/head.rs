//! What a log signs of its index.

use crate::note::Note;
use crate::vkey::NoteKey;
use crate::Sha256;
use base64::{engine::general_purpose::STANDARD, Engine as _};

const VERSION: &str = "vitrine-log-index v1";
/// After the log's name, in the first line.
const SUFFIX: &str = "/index";

/// Text of the note:
/// ```text
/// log.example/vitrine/index
/// vitrine-log-index v1
/// 1482                         entries in the index
/// Zx9…=                        root of the tree of these entries
/// Qm9…=                        SHA-256 of the list
/// ```
/// The log's own key signs it. It can be taken for a checkpoint by nobody: its second line is no number, it has five lines, not three,
/// and its first line is not the name of the key. A witness neither gets nor signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Of the log.
    pub origin: String,
    pub size: u64,
    pub root: Sha256,
    pub list: Sha256,
}

impl Head {
    pub fn to_text(&self) -> String {
        let hash = |hash: &Sha256| STANDARD.encode(hash.0);
        format!("{}{SUFFIX}\n{VERSION}\n{}\n{}\n{}\n", self.origin, self.size, hash(&self.root), hash(&self.list))
    }

    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or("it has no line end")?.split('\n').collect();
        let &[origin, version, size, root, list] = lines.as_slice() else {
            return Err(format!("it has {} lines, not 5", lines.len()));
        };
        let origin = origin.strip_suffix(SUFFIX).filter(|origin| !origin.is_empty());
        if version != VERSION {
            return Err(format!("it does not say \"{VERSION}\""));
        }
        let number = size.parse::<u64>().ok().filter(|number| number.to_string() == size);
        let hash = |text: &str| STANDARD.decode(text).ok().and_then(|hash| hash.try_into().ok()).map(Sha256);
        Ok(Self {
            origin: origin.ok_or("it is not about the index of a log")?.into(),
            size: number.ok_or("its size is no number")?,
            root: hash(root).ok_or("its root is no SHA-256 in base64")?,
            list: hash(list).ok_or("its list is no SHA-256 in base64")?,
        })
    }

    /// Reads the whole note, which one of `keys` has to have signed under the log's name.
    ///
    /// Proves that the log says so. Does **not** prove that it is the tree's index: make it again from the entries.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn verify(note: &[u8], origin: &str, keys: &[NoteKey]) -> Result<Self, String> {
        let note = Note::parse(note)?;
        let head = Self::parse(note.text())?;
        if head.origin != origin {
            return Err(format!("it is the index of {}, not of {origin}", head.origin));
        }
        if !note.signers(keys)?.iter().any(|signer| signer.key.is_of(origin)) {
            return Err(format!("{origin} has not signed it"));
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{sign, Checkpoint};
    use ed25519_dalek::SigningKey;

    const ORIGIN: &str = "log.example/vitrine";

    fn head() -> Head {
        Head { origin: ORIGIN.into(), size: 1482, root: Sha256([1; 32]), list: Sha256([2; 32]) }
    }

    fn key(name: &str, seed: u8) -> NoteKey {
        NoteKey::new(name, SigningKey::from_bytes(&[seed; 32]).verifying_key()).unwrap()
    }

    fn note(text: &str, name: &str, seed: u8) -> Vec<u8> {
        format!("{text}\n{}", sign(text, name, &SigningKey::from_bytes(&[seed; 32]), None).unwrap()).into_bytes()
    }

    #[test]
    fn signed_by_the_log_only() {
        let (text, keys) = (head().to_text(), [key(ORIGIN, 1), key("log.example/other", 3)]);
        assert_eq!(Head::parse(&text), Ok(head()));
        assert_eq!(Head::verify(&note(&text, ORIGIN, 1), ORIGIN, &keys), Ok(head()));
        for (defect, note, origin) in [
            ("another key", note(&text, ORIGIN, 2), ORIGIN),
            ("another log's key", note(&text, "log.example/other", 3), ORIGIN),
            ("another log", note(&text, ORIGIN, 1), "log.example/other"),
            ("nobody we know", note(&text, "log.example/x", 1), ORIGIN),
        ] {
            assert!(Head::verify(&note, origin, &keys).is_err(), "{defect}");
        }
    }

    /// Neither is read as the other, whatever the numbers in it.
    #[test]
    fn no_checkpoint() {
        assert!(Checkpoint::parse(&head().to_text()).is_err());
        let checkpoint = format!("{ORIGIN}/index\n1482\n{}\n", STANDARD.encode([1; 32]));
        assert!(Checkpoint::parse(&checkpoint).is_ok() && Head::parse(&checkpoint).is_err());
    }

    #[test]
    fn one_defect_each() {
        let text = head().to_text();
        for (from, to) in [
            ("1482", "01482"),
            ("1482", "-1"),
            ("1482", ""),
            ("/index", "/other"),
            ("log.example/vitrine", ""),
            ("v1", "v2"),
            ("AQEB", "AQE"),
            ("=\n", "\n"),
        ] {
            assert!(text.contains(from));
            assert!(Head::parse(&text.replacen(from, to, 1)).is_err(), "{from:?} as {to:?}");
        }
        assert!(Head::parse(&format!("{text}more\n")).is_err());
        assert!(Head::parse(text.trim_end()).is_err());
    }
}
