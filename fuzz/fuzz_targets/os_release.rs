//! `/etc/os-release` of an image. Invariants, for any text:
//! - reading never panics;
//! - an id that can be written reads back as the same id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_builder::osrelease::{read, write};

fuzz_target!(|text: &str| {
    let Ok(id) = read(text) else { return };
    let Ok(written) = write(&id) else { return };
    assert_eq!(read(&written), Ok(id));
});
