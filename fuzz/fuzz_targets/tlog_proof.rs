//! Proofs of logs. Invariants, for any bytes:
//! - reading never panics;
//! - a proof has one spelling: what was read is written as it was;
//! - nobody's keys make nothing stand in a log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::tlog_proof::{to_text, Proof};

fuzz_target!(|data: &[u8]| {
    let Ok(proof) = Proof::parse(data) else { return };
    let text = std::str::from_utf8(data).expect("a proof is text");
    let (_, note) = text.split_once("\n\n").expect("a note stands behind the empty line");
    assert_eq!(to_text(proof.extra.as_deref(), proof.index, &proof.path, note), text);
    assert!(proof.check(data, &[]).is_err());
});
