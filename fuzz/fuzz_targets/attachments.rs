//! What a server hands out beside its evidence. Invariants, for any bytes:
//! - reading never panics;
//! - there is one spelling: what was read is written as it was, within the limit, and read back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::attachments::Attachments;

fuzz_target!(|data: &[u8]| {
    let Ok(read) = Attachments::parse(data) else { return };
    assert_eq!(read.to_bytes().as_deref(), Ok(data));
    let again = Attachments::new(read.statement.clone(), read.proof.clone(), read.others.clone());
    assert_eq!(again, read);
});
