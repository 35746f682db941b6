//! Proofs that an entry stands in a transparency log (C2SP tlog-proof, a draft: hence the version word).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra d2hhdGV2ZXI=           optional: what the log's user wants to tell, base64
//! index 1024                   of the entry, from 0
//! Zx9…=                        hashes beside the path, the leaf's sibling first, base64
//! …
//!
//! log.example/vitrine          the signed checkpoint, see [`crate::note`]
//! 1482
//! Qm9…=
//!
//! — log.example/vitrine bGVy…
//! ```
//! The entry itself is not in it.

use crate::merkle;
use crate::note::{hash, number, Checkpoint, Note, Signer, NOTE_LIMIT};
use crate::vkey::NoteKey;
use crate::Sha256;
use base64::{engine::general_purpose::STANDARD, Engine as _};

/// First line; another version would be another form.
const VERSION: &str = "c2sp.org/tlog-proof@v1";
/// Hashes of the longest path: a log has fewer than 2^64 entries.
const PATH_LIMIT: usize = 64;
/// Most bytes of `extra`, decoded.
pub const EXTRA_LIMIT: usize = 4 << 10;
/// Largest proof in bytes: the note, 64 lines of 45 bytes, and the rest.
pub const PROOF_LIMIT: usize = NOTE_LIMIT + (12 << 10);

/// A proof whose form is right. What it is worth, [`Proof::check`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub extra: Option<Vec<u8>>,
    pub index: u64,
    pub path: Vec<Sha256>,
    pub note: Note,
    pub checkpoint: Checkpoint,
}

impl Proof {
    /// # Errors
    /// What is wrong with its form. Nothing is repaired.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > PROOF_LIMIT {
            return Err(format!("the proof has more than {PROOF_LIMIT} bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "the proof is no UTF-8")?;
        let (head, note) = text.split_once("\n\n").ok_or("the proof has no empty line before its checkpoint")?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(VERSION) {
            return Err(format!("the proof does not begin with {VERSION}"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(extra).transpose()?;
        let index = lines.next().and_then(|line| number(line.strip_prefix("index ")?));
        let index = index.ok_or("the proof's index is no number")?;
        let path = lines.map(hash).collect::<Option<Vec<_>>>().ok_or("a line of the proof is no SHA-256 in base64")?;
        if path.len() > PATH_LIMIT {
            return Err(format!("the proof has more than {PATH_LIMIT} hashes"));
        }
        let note = Note::parse(note.as_bytes())?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { extra, index, path, note, checkpoint })
    }

    /// Whether the tree of the checkpoint, whoever signed it, has this entry at this place.
    pub fn stands(&self, entry: &[u8]) -> bool {
        let root = merkle::root_of_path(merkle::leaf(entry), self.index, self.checkpoint.size, &self.path);
        root == Some(self.checkpoint.root)
    }

    /// Whether this entry stands in the log of which the checkpoint tells, as these keys say: signed by the log itself, under its
    /// name. Does **not** prove that the log shows everybody the same; for that the witnesses are, who are among the signers.
    ///
    /// # Errors
    /// Why not.
    pub fn check<'a>(&self, entry: &[u8], keys: &'a [NoteKey]) -> Result<Vec<Signer<'a>>, String> {
        if !self.stands(entry) {
            return Err("the entry is not in the tree at this place".into());
        }
        let signers = self.note.signers(keys)?;
        if !signers.iter().any(|signer| signer.key.is_of(&self.checkpoint.origin)) {
            return Err(format!("{} has not signed the checkpoint with a key you gave", self.checkpoint.origin));
        }
        Ok(signers)
    }
}

/// The bytes of a proof; `checkpoint` is a whole signed note.
pub fn to_text(extra: Option<&[u8]>, index: u64, path: &[Sha256], checkpoint: &str) -> String {
    let extra = extra.map(|extra| format!("extra {}\n", STANDARD.encode(extra))).unwrap_or_default();
    let hashes: String = path.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
    format!("{VERSION}\n{extra}index {index}\n{hashes}\n{checkpoint}")
}

fn extra(line: &str) -> Result<Vec<u8>, String> {
    let bytes = line.strip_prefix("extra ").and_then(|digits| STANDARD.decode(digits).ok());
    bytes.filter(|bytes| bytes.len() <= EXTRA_LIMIT).ok_or_else(|| "the proof's extra line cannot be read".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::sign;
    use crate::vkey::Kind;
    use ed25519_dalek::SigningKey;

    const LOG: &str = "log.example/vitrine";
    const WITNESS: &str = "witness.example/w1";

    fn secret(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn keys() -> [NoteKey; 2] {
        let key = |kind, name, seed: u8| NoteKey::of_kind(kind, name, secret(seed).verifying_key()).unwrap();
        [key(Kind::Note, LOG, 1), key(Kind::Cosignature, WITNESS, 2)]
    }

    fn entry(n: usize) -> Vec<u8> {
        format!("entry {n}").into_bytes()
    }

    fn proof(index: usize, size: usize) -> String {
        let leaves: Vec<Sha256> = (0..size).map(|n| merkle::leaf(&entry(n))).collect();
        let root = STANDARD.encode(merkle::root(&leaves).unwrap().0);
        let text = format!("{LOG}\n{size}\n{root}\n");
        let lines = sign(&text, LOG, &secret(1), None).unwrap()
            + &sign(&text, WITNESS, &secret(2), Some(1_763_600_000)).unwrap();
        to_text(None, index as u64, &merkle::path(&leaves, index).unwrap(), &format!("{text}\n{lines}"))
    }

    #[test]
    fn entries_are_there_and_others_are_not() {
        for (index, size) in [(0, 1), (0, 2), (1, 3), (6, 7), (512, 1025), (1024, 1025)] {
            let proof = Proof::parse(proof(index, size).as_bytes()).unwrap();
            let keys = keys();
            let signers = proof.check(&entry(index), &keys).unwrap();
            assert_eq!(signers.iter().map(|signer| signer.time).collect::<Vec<_>>(), [None, Some(1_763_600_000)]);
            assert!(proof.check(&entry(index + 1), &keys).is_err());
            assert!(proof.check(&entry(index), &keys[1..]).is_err(), "the log has to sign, not a witness alone");
            assert!(proof.check(&entry(index), &[]).is_err());
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let whole = proof(5, 9);
        let parsed = Proof::parse(whole.as_bytes()).unwrap();
        let note = whole.split_once("\n\n").unwrap().1;
        assert_eq!(to_text(None, parsed.index, &parsed.path, note), whole);
        let extra = to_text(Some(b"whatever"), parsed.index, &parsed.path, note);
        assert_eq!(Proof::parse(extra.as_bytes()).unwrap().extra.as_deref(), Some(&b"whatever"[..]));
    }

    #[test]
    fn malformed_proofs() {
        let good = proof(5, 9);
        let index = "index 5\n";
        for bad in [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace(index, ""),
            good.replace(index, "index 05\n"),
            good.replace(index, "index +5\n"),
            good.replace(index, "index -1\n"),
            good.replace(index, "index 18446744073709551616\n"),
            good.replace(index, "index 5\nindex 5\n"),
            good.replace(index, "index 5\nextra AAAA\n"),
            good.replace(index, "extra AAAA\nextra AAAA\nindex 5\n"),
            good.replace(index, "extra A\nindex 5\n"),
            good.replace(index, &format!("extra {}\nindex 5\n", STANDARD.encode([0; EXTRA_LIMIT + 1]))),
            good.replace(index, &format!("index 5\n{}", (STANDARD.encode([0; 32]) + "\n").repeat(61))),
            good.replace(index, "index 5\nAAAA\n"),
            good.replace("\n\n", "\n"),
            good.replace('\n', "\r\n"),
            format!("{good}\n"),
            format!("{good}{}", "x".repeat(PROOF_LIMIT)),
        ] {
            assert!(Proof::parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
        }
        assert!(Proof::parse(good.as_bytes()).is_ok());
    }

    /// A path of another length, another place, another tree: the form is right, the entry is not there.
    #[test]
    fn bent_proofs() {
        let good = proof(5, 9);
        let line = good.lines().nth(2).unwrap();
        for bad in [
            good.replace("index 5", "index 4"),
            good.replace("index 5", "index 9"),
            good.replacen(&format!("{line}\n"), "", 1),
            good.replacen(line, &format!("{line}\n{line}"), 1),
        ] {
            assert!(Proof::parse(bad.as_bytes()).unwrap().check(&entry(5), &keys()).is_err(), "{bad}");
        }
    }
}
