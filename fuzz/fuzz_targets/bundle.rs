//! Bundles. Invariants, for any bytes:
//! - reading never panics, and unpacks no more than its limit;
//! - a bundle has one spelling inside: what was read is what is written and read again;
//! - what is in it can be read as a file by itself, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::tlog_proof::Proof;
use vitrine_verifier::bundle::{is_one, Bundle, BUNDLE_LIMIT};
use vitrine_verifier::exchange::Exchange;

fuzz_target!(|data: &[u8]| {
    let Ok(bundle) = Bundle::from_file("x", data) else { return };
    assert!(is_one(data) && data.len() <= BUNDLE_LIMIT);
    // packed better or worse by whoever made it
    if let Ok(file) = bundle.to_file() {
        assert_eq!(Bundle::from_file("x", &file).as_ref(), Ok(&bundle));
    }
    let evidence = bundle.evidence().expect("what was read has a JSON form");
    let _ = Exchange::from_file("x", &evidence, None, Some(&[]));
    let _ = bundle.proof().map(Proof::parse);
});
