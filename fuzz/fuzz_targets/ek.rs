//! EK certificates and roots, from the server and from the operator. Invariants, for any bytes:
//! - reading roots never panics and counts what it digests;
//! - no certificate leads to a root that is itself made of the same foreign bytes unless it is for the given key:
//!   here, never; and trying it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::ek::{verify, Roots};
use vitrine_attest::tpm::Public;

fuzz_target!(|data: &[u8]| {
    let roots = Roots::parse(data);
    if let Ok(roots) = &roots {
        assert_eq!(roots.digests().count(), roots.count());
    }
    let head = [0, 1, 0, 0x0b, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0b, 8, 0, 0, 0, 0, 0, 1, 0];
    let key = Public::parse(&[&head[..], &[0xa5; 256]].concat()).expect("the structure is fixed");
    let Ok(roots) = roots else { return };
    assert!(verify(data, &key, &roots, 1_790_000_000).is_err());
});
