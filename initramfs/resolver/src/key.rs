//! What an answer is kept under.

use crate::question::{Question, NAME};

/// Lower-case wire name ‖ type ‖ flags: who wants DNSSEC records, or no validation, gets another answer.
pub struct Key {
    bytes: [u8; NAME + 3],
    length: usize,
}

impl Key {
    pub fn of(question: &Question) -> Self {
        let name = question.name.bytes();
        let mut bytes = [0; NAME + 3];
        bytes[..name.len()].copy_from_slice(name);
        // lengths of labels are below 64 and not letters: they stay
        bytes[..name.len()].make_ascii_lowercase();
        let kind = question.kind.to_be_bytes();
        let flags = u8::from(question.dnssec_ok()) | u8::from(question.checking_disabled) << 1;
        bytes[name.len()..name.len() + 3].copy_from_slice(&[kind[0], kind[1], flags]);
        Self { bytes, length: name.len() + 3 }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The name alone, in lower case.
    pub fn name(&self) -> &[u8] {
        &self.bytes[..self.length - 3]
    }
}
