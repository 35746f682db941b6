//! A log with witnesses, made by the test.

use crate::mock::SigningKey;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::note::sign;
use vitrine_attest::tlog_proof::to_text;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::{merkle, Sha256};

pub const LOG: &str = "log.example/vitrine";

pub fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn key(kind: Kind, name: &str, seed: u8) -> NoteKey {
    NoteKey::of_kind(kind, name, secret(seed).verifying_key()).unwrap()
}

pub fn witness(seed: u8) -> NoteKey {
    key(Kind::Cosignature, &format!("witness.example/w{seed}"), seed)
}

/// The log (1), and two of three witnesses (2, 3, 4).
pub fn log_policy() -> String {
    let log = key(Kind::Note, LOG, 1);
    let witnesses: String = (2..5).map(|seed| format!("witness w{seed} {}\n", witness(seed))).collect();
    format!("log {log}\n{witnesses}group most 2 w2 w3 w4\nquorum most\n")
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A log with the entry between others.
pub struct Log {
    pub leaves: Vec<Sha256>,
    pub signer: u8,
    pub origin: &'static str,
    pub witnesses: Vec<(u8, u64)>,
    /// What else stands under the note.
    pub more: String,
}

impl Log {
    pub fn of(entry: &[u8]) -> Self {
        let leaf = |entry: &[u8]| merkle::leaf(entry);
        let leaves = vec![leaf(b"a"), leaf(b"b"), leaf(entry), leaf(b"c"), leaf(b"d")];
        let witnesses = vec![(2, now() - 7200), (3, now() - 60), (4, now() - 3600)];
        Self { leaves, signer: 1, origin: LOG, witnesses, more: String::new() }
    }

    /// That entry 2 stands in it.
    pub fn proof(&self) -> String {
        let root = STANDARD.encode(merkle::root(&self.leaves).unwrap().0);
        let body = format!("{}\n{}\n{root}\n", self.origin, self.leaves.len());
        let mut lines = sign(&body, self.origin, &secret(self.signer), None).unwrap();
        for &(seed, time) in &self.witnesses {
            lines += &sign(&body, witness(seed).name(), &secret(seed), Some(time)).unwrap();
        }
        let path = merkle::path(&self.leaves, 2).unwrap();
        to_text(None, 2, &path, &format!("{body}\n{lines}{}", self.more))
    }
}
