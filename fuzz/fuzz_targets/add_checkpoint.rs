//! What a log sends a witness, and what a witness answers. Invariants, for any bytes:
//! - reading never panics;
//! - a request has one spelling: what was read is written as it was;
//! - a witness that trusts nobody signs nothing, and no answer holds that the witness has not signed;
//! - a number of entries has one spelling;
//! - of a checkpoint only the log's own lines are left, and leaving them again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::witness::Refusal;
use vitrine_attest::witness::{by_log_alone, cosignature, judge, parse_size, size_text, to_text, AddCheckpoint, Known};
use vitrine_attest::Sha256;

/// The same key as of golang.org/x/mod/sumdb/note's example, for a log and for a witness of that name.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|data: &[u8]| {
    let log: NoteKey = KEY.parse().expect("a key");
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(to_text(request.old, &request.proof, &request.signed).as_bytes(), data);
        assert_eq!(judge(None, &request, &[]), Err(Refusal::UnknownOrigin));
        let known = Known { size: request.old, root: Sha256::ZERO };
        assert!(judge(Some(&known), &request, std::slice::from_ref(&log)).is_err());
    }
    if let Some(size) = parse_size(data) {
        assert_eq!(size_text(size).as_bytes(), data);
    }
    let key = NoteKey::of_kind(vitrine_attest::vkey::Kind::Cosignature, log.name(), log.key().clone()).expect("a key");
    assert!(cosignature(data, "x\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", &key).is_err());
    if let Some(own) = std::str::from_utf8(data).ok().and_then(|text| by_log_alone(text).ok()) {
        assert_eq!(by_log_alone(&own).as_ref(), Ok(&own));
    }
});
