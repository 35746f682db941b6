//! What peers wrote, judged by the functions that judge for everybody.

use crate::{entries, files, judge_log, keys, read, refused, roots, stream, text, tiles, tree};
use std::path::Path;
use vitrine_attest::digest::unhex;
use vitrine_attest::dsse::{verify_payload, Envelope};
use vitrine_attest::note::{Checkpoint, Note, Signer};
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

pub fn judge(what: &str, folder: &Path) -> Result<String> {
    match what {
        "roots" => judge_roots(folder),
        "notes" => notes(folder),
        "proofs" => stream::judge(folder, stream::Extent::All),
        "some-proofs" => stream::judge(folder, stream::Extent::Some),
        "tlog-proofs" => tlog_proofs(folder),
        "tiles" => judge_log::judge(folder),
        "dsse" => dsse(folder),
        _ => Err(Error::input(format!("interop: nobody judges \"{what}\""), "")),
    }
}

fn judge_roots(folder: &Path) -> Result<String> {
    let (entries, theirs) = (entries(folder)?, roots(folder)?);
    let tiles = tiles(&entries);
    let mut tree = tree(entries.len(), &tiles);
    if theirs.len() != entries.len() + 1 {
        return Err(refused(format!("{} roots, not {}", theirs.len(), entries.len() + 1)));
    }
    for (size, root) in theirs.iter().enumerate() {
        let ours = tree.root(size as u64)?;
        let mut spoilt = *root;
        spoilt.0[size % 32] ^= 1;
        if ours != *root || ours == spoilt {
            return Err(refused(format!("the root of {size} entries is {ours}, not {root}")));
        }
    }
    Ok(format!("{} roots", theirs.len()))
}

fn notes(folder: &Path) -> Result<String> {
    let keys = keys(folder)?;
    judge_files(&folder.join("notes"), "notes", |bytes| {
        let note = Note::parse(bytes)?;
        all_signed(&note.signers(&keys)?, &keys)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        (checkpoint.origin == keys[0].name()).then_some(()).ok_or_else(|| "of another log".into())
    })
}

fn tlog_proofs(folder: &Path) -> Result<String> {
    let (keys, entries) = (keys(folder)?, entries(folder)?);
    let holds = |bytes: &[u8]| {
        let proof = Proof::parse(bytes)?;
        let entry = entries.get(proof.index as usize).ok_or("no such entry")?;
        all_signed(&proof.check(entry, &keys)?, &keys)?;
        Ok(proof)
    };
    let said = judge_files(&folder.join("tlog-proofs"), "proofs of a log", |bytes| holds(bytes).map(drop))?;
    // what stands in `extra` nobody signs: to spoil it proves nothing
    let extra = files(&folder.join("extra"))?;
    for (name, bytes) in &extra {
        let proof = holds(bytes).map_err(|why| refused(format!("{name}: {why}")))?;
        if proof.extra.is_none_or(|extra| extra.is_empty()) {
            return Err(refused(format!("{name}: nothing extra")));
        }
    }
    Ok(format!("{said}; {} with extra", extra.len()))
}

fn all_signed(signers: &[Signer<'_>], keys: &[NoteKey]) -> std::result::Result<(), String> {
    let all = signers.len() == keys.len();
    all.then_some(()).ok_or_else(|| format!("{} of {} keys have signed", signers.len(), keys.len()))
}

fn judge_files(folder: &Path, what: &str, holds: impl Fn(&[u8]) -> std::result::Result<(), String>) -> Result<String> {
    let (files, mut spoilt) = (files(folder)?, 0);
    for (name, bytes) in &files {
        holds(bytes).map_err(|why| refused(format!("{name}: {why}")))?;
        spoilt += every_byte(name, bytes, |bytes| holds(bytes).is_ok())?;
    }
    Ok(format!("{} {what}; {spoilt} spoilt refused", files.len()))
}

/// One bit of every byte spoilt, alone: all have to be refused.
fn every_byte(name: &str, bytes: &[u8], holds: impl Fn(&[u8]) -> bool) -> Result<usize> {
    for at in 0..bytes.len() {
        let mut spoilt = bytes.to_vec();
        spoilt[at] ^= 1 << (at % 8);
        if holds(&spoilt) {
            return Err(refused(format!("{name}: holds with byte {at} spoilt")));
        }
    }
    Ok(bytes.len())
}

fn dsse(folder: &Path) -> Result<String> {
    let envelope = Envelope::from_json(&read(&folder.join("envelope"))?)?;
    let key = unhex(text(&folder.join("envelope.key"))?.trim_end()).ok().and_then(|key| key.try_into().ok());
    let key = key.and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(&key).ok());
    let key = key.ok_or_else(|| refused("envelope.key is no Ed25519 key in hex"))?;
    verify_payload(&envelope, &key)?;
    let holds = |change: &dyn Fn(&mut Envelope)| {
        let mut spoilt = envelope.clone();
        change(&mut spoilt);
        verify_payload(&spoilt, &key).is_ok()
    };
    let payload = every_byte("payload", &envelope.payload, |bytes| holds(&|e| e.payload = bytes.to_vec()))?;
    let signature = &envelope.signatures[0].sig;
    let signature = every_byte("signature", signature, |bytes| holds(&|e| e.signatures[0].sig = bytes.to_vec()))?;
    if holds(&|e| e.payload_type.push('x')) {
        return Err(refused("the envelope holds with another type"));
    }
    Ok(format!("1 envelope; {} spoilt refused", payload + signature + 1))
}
