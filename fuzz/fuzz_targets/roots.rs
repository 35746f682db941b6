//! Bundles of EK roots. Invariants, for any bytes:
//! - reading never panics;
//! - every certificate found is whole, and all of them joined are the same bundle.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_verifier::roots::bundle::certificates;

fuzz_target!(|data: &[u8]| {
    let Ok(found) = certificates(data) else { return };
    // what is short enough for a length of one byte is told from text only inside PEM
    if found.iter().all(|certificate| certificate[1] >= 0x80) {
        assert_eq!(certificates(&found.concat()).as_ref(), Ok(&found));
    }
});
