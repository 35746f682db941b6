//! signed_note: notes by Ed25519 keys of type 1. It does not know witnesses' keys, whose lines it leaves alone.

use crate::folder::{notes, put, text};
use crate::Result;
use signed_note::{generate_key, Note, StandardSigner, StandardVerifier, Verifier, VerifierList};
use std::path::Path;

const ORIGIN: &str = "rust.example/log";

/// The text of a note that the log has signed; beside its signature there are `others`.
pub fn open(bytes: &[u8], key: &StandardVerifier, others: usize) -> Result<Vec<u8>> {
    let note = Note::from_bytes(bytes).map_err(|e| e.to_string())?;
    let known = VerifierList::new(vec![Box::new(key.clone())]);
    let (verified, unverified) = note.verify(&known).map_err(|e| e.to_string())?;
    if verified.len() != 1 || unverified.len() != others {
        return Err(format!("{} signatures hold, {} are by others", verified.len(), unverified.len()));
    }
    if !note.text().starts_with(format!("{}\n", key.name()).as_bytes()) {
        return Err("of another log".into());
    }
    Ok(note.text().to_vec())
}

/// The log's key, and how many other keys there are.
pub fn key(folder: &Path) -> Result<(StandardVerifier, usize)> {
    let keys = text(&folder.join("keys"))?;
    let mut keys = keys.lines();
    let log = StandardVerifier::new(keys.next().unwrap_or_default()).map_err(|e| e.to_string())?;
    Ok((log, keys.count()))
}

pub fn judge(folder: &Path) -> Result<String> {
    let ((key, others), notes) = (key(folder)?, notes(folder)?);
    let (mut refused, mut left) = (0, 0);
    for (name, bytes) in &notes {
        open(bytes, &key, others).map_err(|why| format!("{name}: {why}"))?;
        let signatures = bytes.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2);
        let of_log =
            bytes[signatures..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| signatures + at);
        left += bytes.len() - of_log;
        for at in 0..of_log {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1 << (at % 8);
            if open(&spoilt, &key, others).is_ok() {
                return Err(format!("{name}: holds with byte {at} spoilt"));
            }
            refused += 1;
        }
    }
    Ok(format!(
        "{} notes, signatures of the log; {refused} spoilt refused; {left} bytes of cosignatures not judged",
        notes.len()
    ))
}

/// A checkpoint by tlog_tiles, signed by signed_note.
pub fn signed(size: u64, root: tlog_tiles::tlog::Hash, signer: &StandardSigner) -> Result<Vec<u8>> {
    let checkpoint = tlog_tiles::Checkpoint::new(signed_note::Signer::name(signer), size, root, "");
    let text = checkpoint.map_err(|e| e.to_string())?.to_bytes();
    let mut note = Note::new(&text, &[]).map_err(|e| e.to_string())?;
    note.add_sigs(&[signer]).map_err(|e| e.to_string())?;
    Ok(note.to_bytes())
}

/// A new signer, whose key lies in the folder.
pub fn signer(folder: &Path) -> Result<StandardSigner> {
    let (secret, public) = generate_key(&mut rand_core::OsRng, ORIGIN);
    put(&folder.join("keys"), format!("{public}\n"))?;
    StandardSigner::new(&secret).map_err(|e| e.to_string())
}
