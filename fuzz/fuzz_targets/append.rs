//! Adding sections to a stub. Invariants, for any bytes:
//! - never panics;
//! - if the strict reader takes the stub, it takes the result too, which has the stub's sections and the new one with
//!   its contents, and a length that can be signed without padding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::pe::{Pe, CERTIFICATE_ALIGNMENT};
use vitrine_builder::append::{append, NewSection};

fuzz_target!(|data: &[u8]| {
    let new = NewSection { name: ".new", data: b"contents" };
    let Ok(out) = append(data, &[new]) else { return };
    assert!(out.len().is_multiple_of(CERTIFICATE_ALIGNMENT));
    let Ok(before) = Pe::parse(data) else { return };
    if before.section(new.name).is_some() {
        return;
    }
    let after = Pe::parse(&out).expect("the stub was fine");
    assert_eq!(after.sections().len(), before.sections().len() + 1);
    for section in before.sections() {
        let same = after.section(&section.name).expect("sections stay");
        assert_eq!(after.contents(same).ok(), before.contents(section).ok());
    }
    let added = after.section(new.name).expect("it was added");
    assert_eq!(after.contents(added), Ok(new.data));
});
