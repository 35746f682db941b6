//! Lock files. Invariants, for any bytes:
//! - reading never panics;
//! - what was read is written in one spelling, which reads back to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_builder::lock::Lock;

fuzz_target!(|data: &[u8]| {
    let Ok(lock) = Lock::parse(data) else { return };
    let written = lock.to_toml().expect("a lock has a TOML form");
    let again = Lock::parse(written.as_bytes()).expect("what was written can be read");
    assert_eq!(again.to_toml().as_deref(), Ok(written.as_str()));
    assert_eq!(again.packages.len(), lock.packages.len());
    for package in &lock.packages {
        assert!(!package.file_name().is_empty() && !package.file_name().contains('/'));
    }
});
