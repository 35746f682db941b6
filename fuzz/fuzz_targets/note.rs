//! Checkpoints of logs, keys of logs and witnesses, beacons. Invariants, for any bytes:
//! - reading never panics;
//! - a note begins with its text, and only with signatures by nobody we know has no signers;
//! - of two witnesses' keys, one of them ML-DSA-44, each signs once, and not at a time beyond the standard's;
//! - a checkpoint is told again in its own words;
//! - what is read as a beacon has its nonce from the note in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vitrine_attest::ml_dsa::SecretKey;
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_verifier::beacon;

/// From golang.org/x/mod/sumdb/note's example, whose note is among the seeds.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// The witness whose cosignature is among the seeds: its key is of a seed of sevens.
static WITNESS: LazyLock<NoteKey> = LazyLock::new(|| {
    let secret = SecretKey::from_seed([7; 32].into());
    NoteKey::of_kind(Kind::MlDsa44, "witness.example/w1", secret.public()).expect("a key")
});

fuzz_target!(|data: &[u8]| {
    let log = KEY.parse::<NoteKey>().expect("a key");
    let as_witness = NoteKey::of_kind(Kind::Cosignature, log.name(), log.key().clone()).expect("a key");
    let keys = [log, as_witness, WITNESS.clone()];
    if let Ok(note) = Note::parse(data) {
        assert!(data.starts_with(note.text().as_bytes()) && note.text().ends_with('\n'));
        if let Ok(signers) = note.signers(&keys) {
            assert!(signers.len() <= keys.len());
            assert!(signers.iter().all(|signer| signer.time.unwrap_or(0) <= i64::MAX as u64));
            assert!(signers.iter().all(|signer| signer.key.kind().is_witness() || signer.time.is_none()));
        }
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert!(note.text().starts_with(&format!("{}\n{}\n", checkpoint.origin, checkpoint.size)));
        }
    }
    if let Ok(keys) = beacon::keys(data) {
        assert!(!keys.is_empty());
    }
    if let Ok(exchange) = beacon::from_file("x", data, &keys) {
        assert!(exchange.beacon.is_some() && exchange.activation.is_none());
    }
});
