//! Release files of a mirror. Invariants, for any bytes:
//! - as a signed file, against no keys: refused, never a panic;
//! - as the signed text: never a panic, and deterministic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_builder::archive::{fuzzing, Keyring, Release};

const NOW: u64 = 1_790_000_000;

fuzz_target!(|data: &[u8]| {
    assert!(Release::open(data, &Keyring::parse(b""), NOW).is_err());
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(release) = fuzzing::signed_text(text, NOW) else { return };
    assert!(release.check_suite(&release.suite).is_ok() && release.check_suite(&release.codename).is_ok());
    let _ = release.file("main/binary-amd64/Packages.xz");
});
