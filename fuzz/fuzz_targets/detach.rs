//! Taking the signatures off an image. Invariants, for any bytes:
//! - never panics;
//! - what comes out is unsigned, is a fixed point, and has the Authenticode digest that it had before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::pe::{authenticode, Pe};
use vitrine_builder::authenticode::attach::detach;

fuzz_target!(|data: &[u8]| {
    let Ok(out) = detach(data) else { return };
    assert_eq!(detach(&out).as_ref(), Ok(&out));
    assert_eq!(Pe::parse(&out).map(|pe| pe.certificate_table()), Ok((0, 0)));
    assert_eq!(authenticode(&out), authenticode(data));
});
