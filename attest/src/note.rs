//! Signed notes, and the checkpoints of transparency logs in them (C2SP signed-note, tlog-checkpoint, tlog-cosignature).
//!
//! ```text
//! log.example/vitrine          origin
//! 1482                         entries
//! Zx9…=                        root over them, base64
//!
//! — log.example/vitrine bGVy…  signature of the log
//! — witness.example/w1 d2l0…   cosignature of a witness, with its time
//! ```

use crate::vkey::{Kind, NoteKey, PublicKey};
use crate::Sha256;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey};

/// Largest note in bytes. The standard asks for at least 16 signatures: 56 KiB when all are ML-DSA-44, 3.3 KiB each, under the
/// longest names. Also without the feature `ml-dsa`: what others have signed is left alone, and may stand there.
pub const NOTE_LIMIT: usize = 64 << 10;
/// Most signatures that are read; the standard asks for at least 16.
const SIGNATURES_LIMIT: usize = 64;
/// U+2014, then a space.
const DASH: &str = "\u{2014} ";

/// A note whose form is right. Whose it is, [`Note::signers`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// With its line end.
    text: String,
    signatures: Vec<NoteSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// One of the person's keys that has signed a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer<'a> {
    pub key: &'a NoteKey,
    /// Seconds since 1970 at which a witness says that it saw the checkpoint; a log's signature has no time. Nor has that of a
    /// witness (ML-DSA-44 only) that does not say whether it knew a larger tree: it makes no quorum.
    pub time: Option<u64>,
}

impl Note {
    /// # Errors
    /// What is wrong with its form. Nothing is repaired.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > NOTE_LIMIT {
            return Err(format!("the note has more than {NOTE_LIMIT} bytes"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| "the note is no UTF-8")?;
        if whole.chars().any(|c| c.is_control() && c != '\n') {
            return Err("there are control characters in the note".into());
        }
        let cut = whole.rfind("\n\n").ok_or("the note has no empty line before its signatures")?;
        let (text, signatures) = (&whole[..=cut], &whole[cut + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or("the note has no line end")?;
        if lines.split('\n').count() > SIGNATURES_LIMIT {
            return Err(format!("the note has more than {SIGNATURES_LIMIT} signatures"));
        }
        let signatures = lines.split('\n').map(signature_line).collect::<Option<_>>();
        Ok(Self { text: text.into(), signatures: signatures.ok_or("a signature line of the note cannot be read")? })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Those of these keys that have signed it, each once. Signatures by others are left alone.
    ///
    /// # Errors
    /// When a signature in the name of one of the keys does not hold: such a note is not used at all.
    pub fn signers<'a>(&self, keys: &'a [NoteKey]) -> Result<Vec<Signer<'a>>, String> {
        let mut signers: Vec<Signer<'a>> = Vec::new();
        for signature in &self.signatures {
            let ours = keys.iter().find(|key| key.name() == signature.name && key.id() == signature.id);
            let Some(key) = ours else { continue };
            let time = self
                .verify(key, &signature.bytes)
                .ok_or_else(|| format!("the signature of {} does not hold", key.name()))?;
            if !signers.iter().any(|signer| signer.key == key) {
                signers.push(Signer { key, time });
            }
        }
        Ok(signers)
    }

    /// The signature's time, when it holds.
    fn verify(&self, key: &NoteKey, bytes: &[u8]) -> Option<Option<u64>> {
        match (key.kind(), key.key()) {
            (Kind::Note, PublicKey::Ed25519(key)) => {
                key.verify_strict(self.text.as_bytes(), &Signature::from_slice(bytes).ok()?).ok()?;
                Some(None)
            }
            (_, PublicKey::Ed25519(key)) => {
                let (time, signature) = stamped(bytes)?;
                let message = cosigned(time, &self.text);
                key.verify_strict(message.as_bytes(), &Signature::from_slice(signature).ok()?).ok()?;
                Some(Some(time))
            }
            #[cfg(feature = "ml-dsa")]
            (_, PublicKey::MlDsa44(public)) => {
                let (time, signature) = stamped(bytes)?;
                // no extension lines: they would not be signed
                let message = Checkpoint::parse(&self.text).ok()?.cosigned_message(key.name(), time)?;
                public.verify(&message, signature).then_some((time != 0).then_some(time))
            }
        }
    }
}

/// Latest time of a cosignature (tlog-cosignature, "Format").
const TIME_LIMIT: u64 = i64::MAX as u64;

/// A witness's time, and the signature itself.
fn stamped(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*time), signature)).filter(|(time, _)| *time <= TIME_LIMIT)
}

/// The line by which a log signs a note's text; with a time, in seconds since 1970, the line of a witness.
///
/// # Errors
/// When this cannot be the name of a key.
pub fn sign(text: &str, name: &str, secret: &SigningKey, time: Option<u64>) -> crate::Result<String> {
    let (kind, message, stamp) = match time {
        None => (Kind::Note, text.into(), vec![]),
        Some(time) => (Kind::Cosignature, cosigned(time, text), time.to_be_bytes().to_vec()),
    };
    let key = NoteKey::of_kind(kind, name, secret.verifying_key())?;
    Ok(line(&key, &[stamp, secret.sign(message.as_bytes()).to_vec()].concat()))
}

/// The line of a witness of ML-DSA-44 under a checkpoint's text, at this time. `hedge` is random, new for each signature; with
/// zeros the signature holds, too, and is always the same.
///
/// # Errors
/// When this cannot be the name of a key, or the text is no checkpoint.
#[cfg(feature = "ml-dsa")]
pub fn cosign_ml_dsa(
    text: &str,
    name: &str,
    secret: &crate::ml_dsa::SecretKey,
    time: u64,
    hedge: &[u8; 32],
) -> crate::Result<String> {
    let key = NoteKey::of_kind(Kind::MlDsa44, name, secret.public())?;
    let message = Checkpoint::parse(text).ok().filter(|_| time <= TIME_LIMIT);
    let message = message.and_then(|checkpoint| checkpoint.cosigned_message(name, time));
    let message = message.ok_or_else(|| {
        crate::Error::artefact(
            "this cannot be cosigned: it is no checkpoint of three lines",
            "sign what a log has signed",
        )
    })?;
    Ok(line(&key, &[&time.to_be_bytes()[..], &secret.sign(&message, hedge)?].concat()))
}

/// `— <name> <base64(key id ‖ signature)>`.
fn line(key: &NoteKey, bytes: &[u8]) -> String {
    format!("{DASH}{} {}\n", key.name(), STANDARD.encode([&key.id()[..], bytes].concat()))
}

/// What a witness signs: that it saw this checkpoint at this time.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Reads what [`line()`] writes, without its end.
fn signature_line(line: &str) -> Option<NoteSignature> {
    let (name, digits) = line.strip_prefix(DASH)?.split_once(' ')?;
    if name.is_empty() || name.contains('+') || name.contains(char::is_whitespace) {
        return None;
    }
    let bytes = STANDARD.decode(digits).ok()?;
    let (id, bytes) = bytes.split_first_chunk()?;
    Some(NoteSignature { name: name.into(), id: *id, bytes: bytes.to_vec() })
}

/// The state of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: its address without scheme, and the name of its key.
    pub origin: String,
    pub size: u64,
    pub root: Sha256,
}

impl Checkpoint {
    /// Reads a note's text: exactly three lines.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let &[origin, size, root] = lines.as_slice() else {
            return Err(format!("the checkpoint has {} lines, not 3", lines.len()));
        };
        if origin.is_empty() {
            return Err("the checkpoint names no log".into());
        }
        Ok(Self {
            origin: origin.into(),
            size: number(size).ok_or("the checkpoint's size is no number")?,
            root: hash(root).ok_or("the checkpoint's root is no SHA-256 in base64")?,
        })
    }

    /// Reads a signed note whole, which the log itself has to have signed with one of these keys.
    ///
    /// # Errors
    /// What is wrong with it, or that the log has not signed.
    pub fn signed(note: &[u8], keys: &[NoteKey]) -> Result<Self, String> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(note.text())?;
        if !note.signers(keys)?.iter().any(|signer| signer.key.is_of(&checkpoint.origin)) {
            let origin = checkpoint.origin.escape_debug();
            return Err(format!("{origin} has not signed its checkpoint with a key that you gave"));
        }
        Ok(checkpoint)
    }

    /// The text of a note: what [`Checkpoint::parse`] reads.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// What a witness of ML-DSA-44 signs of it (tlog-cosignature, "ML-DSA-44 signed message"; numbers big-endian):
    /// ```text
    /// "subtree/v1\n\0" ‖ u8 length ‖ witness's name ‖ u64 time ‖ u8 length ‖ origin ‖ u64 0 ‖ u64 size ‖ root[32]
    /// ```
    /// None: a name or an origin has not 1 to 255 bytes.
    #[cfg(feature = "ml-dsa")]
    pub fn cosigned_message(&self, name: &str, time: u64) -> Option<Vec<u8>> {
        let mut message = b"subtree/v1\n\0".to_vec();
        let text = |message: &mut Vec<u8>, text: &str| {
            message.push(u8::try_from(text.len()).ok().filter(|length| *length > 0)?);
            message.extend_from_slice(text.as_bytes());
            Some(())
        };
        text(&mut message, name)?;
        message.extend_from_slice(&time.to_be_bytes());
        text(&mut message, &self.origin)?;
        message.extend_from_slice(&0_u64.to_be_bytes()); // start: a checkpoint is of the whole tree
        message.extend_from_slice(&self.size.to_be_bytes());
        message.extend_from_slice(&self.root.0);
        Some(message)
    }
}

/// A line written as it would be by us: no sign, no zeros before it.
pub(crate) fn number(digits: &str) -> Option<u64> {
    digits.parse::<u64>().ok().filter(|number| number.to_string() == digits)
}

/// A line with a SHA-256 in base64.
pub(crate) fn hash(line: &str) -> Option<Sha256> {
    STANDARD.decode(line).ok()?.try_into().ok().map(Sha256)
}

#[cfg(all(test, feature = "ml-dsa"))]
#[path = "note_ml_dsa_tests.rs"]
mod ml_dsa_tests;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "log.example/vitrine\n1482\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    fn secret(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn key(kind: Kind, name: &str, seed: u8) -> NoteKey {
        NoteKey::of_kind(kind, name, secret(seed).verifying_key()).unwrap()
    }

    fn log() -> NoteKey {
        key(Kind::Note, "log.example/vitrine", 1)
    }

    fn witness() -> NoteKey {
        key(Kind::Cosignature, "witness.example/w1", 2)
    }

    fn by_log() -> String {
        sign(TEXT, log().name(), &secret(1), None).unwrap()
    }

    fn by_witness(time: u64) -> String {
        sign(TEXT, witness().name(), &secret(2), Some(time)).unwrap()
    }

    fn note(lines: &[String]) -> Result<Note, String> {
        Note::parse(format!("{TEXT}\n{}", lines.concat()).as_bytes())
    }

    /// The example of golang.org/x/mod/sumdb/note: key, text and signature made by another program.
    #[test]
    fn another_programs_note() {
        let key = NoteKey::of_log("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let note = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(note.signers(std::slice::from_ref(&key)).unwrap(), [Signer { key: &key, time: None }]);
    }

    #[test]
    fn signers_and_times() {
        let keys = [log(), witness(), key(Kind::Cosignature, "witness.example/w2", 3)];
        let note = note(&[by_log(), by_witness(1_763_600_000), by_witness(1_763_600_000)]).unwrap();
        let signers = note.signers(&keys).unwrap();
        let expected = [(&keys[0], None), (&keys[1], Some(1_763_600_000))].map(|(key, time)| Signer { key, time });
        assert_eq!(signers, expected);
        assert_eq!(note.signers(&keys[2..]).unwrap(), []);
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), (log().name(), 1482));
        assert_eq!(checkpoint.root, Sha256::ZERO);
    }

    /// One bad signature of a known key, and the note is not used, whatever else stands in it.
    #[test]
    fn signatures_that_do_not_hold() {
        let later = by_witness(1_763_600_000).replace("Z", "Y");
        let wrong = line(&log(), &secret(9).sign(TEXT.as_bytes()).to_bytes()); // with the id of the right key
        let short = line(&log(), &[0; 63]);
        let as_note = line(&witness(), &secret(2).sign(TEXT.as_bytes()).to_bytes());
        for bad in [later, wrong, short, as_note] {
            if let Ok(note) = note(&[by_log(), by_witness(1), bad.clone()]) {
                assert!(note.signers(&[log(), witness()]).is_err(), "{bad}");
            }
        }
        let other_text = format!("{}\n{}", TEXT.replace("1482", "1483"), by_log());
        assert!(Note::parse(other_text.as_bytes()).unwrap().signers(&[log()]).is_err());
    }

    #[test]
    fn malformed_notes() {
        let good = format!("{TEXT}\n{}", by_log());
        assert!(Note::parse(good.as_bytes()).is_ok());
        for bad in [
            String::new(),
            TEXT.into(),
            format!("{TEXT}\n"),
            good.trim_end().into(),
            format!("{good}\n"),
            good.replace(DASH, "- "),
            good.replace(DASH, "\u{2014}"),
            good.replace('\n', "\r\n"),
            good.replace("vitrine ", "vitrine"),
            format!("{TEXT}\n{DASH}log.example/vitrine AAA=\n"),
            format!("{TEXT}\n{}", by_log().repeat(65)),
            format!("{}{good}", "x".repeat(NOTE_LIMIT)),
        ] {
            assert!(Note::parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
        }
        assert!(Note::parse(b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n").is_err());
    }

    #[test]
    fn malformed_checkpoints() {
        assert!(Checkpoint::parse(TEXT).is_ok());
        for bad in [
            String::new(),
            TEXT.replace("1482", "01482"),
            TEXT.replace("1482", "-1"),
            TEXT.replace("1482", "18446744073709551616"),
            TEXT.replace("log.example/vitrine", ""),
            TEXT.replace("AAA=", "AA=="),
            format!("{TEXT}more\n"),
            TEXT.split_once('\n').unwrap().1.into(),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?} was taken");
        }
    }
}
