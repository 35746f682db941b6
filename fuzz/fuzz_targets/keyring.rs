//! Keyrings, and signatures over a fixed text. Invariants, for any bytes:
//! - reading keys never panics;
//! - no key that comes out of them has signed a text with a foreign signature: refused, never a panic.
#![no_main]

use base64::{engine::general_purpose::STANDARD, Engine as _};
use libfuzzer_sys::fuzz_target;
use vitrine_builder::archive::{Keyring, Release};

fuzz_target!(|data: &[u8]| {
    let keyring = Keyring::parse(data);
    let message = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSuite: x\n-----BEGIN PGP SIGNATURE-----\n\n{}\n-----END PGP SIGNATURE-----\n",
        STANDARD.encode(data)
    );
    assert!(Release::open(message.as_bytes(), &keyring, 1_790_000_000).is_err());
});
