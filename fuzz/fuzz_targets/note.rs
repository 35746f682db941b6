//! Checkpoints of logs, keys of logs and witnesses, beacons. Invariants, for any bytes:
//! - reading never panics;
//! - a note begins with its text, and only with signatures by nobody we know has no signers;
//! - a checkpoint is told again in its own words;
//! - what is read as a beacon has its nonce from the note in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::vkey::NoteKey;
use vitrine_verifier::beacon;

/// From golang.org/x/mod/sumdb/note's example, whose note is among the seeds.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|data: &[u8]| {
    let keys = [KEY.parse::<NoteKey>().expect("a key")];
    if let Ok(note) = Note::parse(data) {
        assert!(data.starts_with(note.text().as_bytes()) && note.text().ends_with('\n'));
        if let Ok(signers) = note.signers(&keys) {
            assert!(signers.len() <= 1);
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
