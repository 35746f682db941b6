//! OVMF's variable store. Invariants, for any bytes:
//! - reading never panics;
//! - what was read can be written into a file of the same length, which reads back as the same variables.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_qemu::vars::{enrolled, Store};

fuzz_target!(|data: &[u8]| {
    let Ok(store) = Store::parse(data) else { return };
    assert!(enrolled(data).is_ok());
    let written = store.to_bytes().expect("the variables came out of this store");
    assert_eq!(written.len(), data.len());
    let again = Store::parse(&written).expect("what was written can be read");
    assert_eq!(again.variables(), store.variables());
});
