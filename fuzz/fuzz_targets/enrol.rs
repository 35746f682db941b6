//! Lists and updates of Secure Boot variables that a person brings along. Invariants, for any bytes:
//! - reading never panics;
//! - what is taken is one or more well-formed signature lists, and is taken again as the same bytes;
//! - the data of an update are its last bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::secure_boot::lists;
use vitrine_builder::enrol::{foreign::signature_lists, update::data_of};

fuzz_target!(|data: &[u8]| {
    if let Ok(Some(found)) = data_of(data) {
        assert!(data.ends_with(found) && data.len() - found.len() >= 40);
    }
    // a certificate in PEM is found wherever it stands
    if data.windows(10).any(|window| window == b"-----BEGIN") {
        return;
    }
    let Ok(found) = signature_lists(data) else { return };
    assert!(!lists(&found).expect("what was taken is well-formed").is_empty());
    assert_eq!(signature_lists(&found).expect("and is taken again"), found);
});
