//! The commit record of a log in a bucket. Invariants, for any bytes:
//! - reading never panics;
//! - what was read and is written again is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_verifier::log::Commit;

fuzz_target!(|data: &[u8]| {
    if let Ok(commit) = Commit::parse(data) {
        assert_eq!(Commit::parse(&commit.to_bytes()), Ok(commit));
    }
});
