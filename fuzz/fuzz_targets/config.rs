//! The configuration in the image. Invariants, for any bytes:
//! - reading never panics;
//! - `from_canonical` takes exactly what `canonical` writes, byte for byte;
//! - any other spelling that serde reads leads to canonical bytes that read back as the same configuration.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::config::Config;

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = Config::from_canonical(data) {
        assert_eq!(config.canonical().as_deref(), Ok(data));
        let _ = (config.problems(), config.digest());
    }
    let Ok(config) = serde_json::from_slice::<Config>(data) else { return };
    let canonical = config.canonical().expect("a configuration has a canonical form");
    assert_eq!(Config::from_canonical(&canonical), Ok(config));
});
