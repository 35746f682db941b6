//! Private Ed25519 keys as `vitrine keygen` writes them: PKCS#8 in PEM (RFC 8410 §7, RFC 7468 §10).

use crate::{Error, Result};
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::SigningKey;
use std::fmt::Display;

/// Reads the bytes of a key's file. The caller wipes them; the key wipes itself. `file` and `hint` are for the message,
/// which says nothing of what is in the file.
///
/// # Errors
/// [`crate::Blame::Input`] when it is something else.
pub fn ed25519(pem: &[u8], file: impl Display, hint: &str) -> Result<SigningKey> {
    let text = std::str::from_utf8(pem).unwrap_or_default(); // what is not text is not PEM either
    SigningKey::from_pkcs8_pem(text).map_err(|_| Error::input(format!("{file} is no Ed25519 key in PKCS#8 PEM"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 §10.3, the first example.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn the_example_of_the_standard_and_what_is_none() {
        let key = ed25519(PEM.as_bytes(), "a", "b").unwrap();
        assert_eq!(key.to_bytes()[..4], [0xd4, 0xee, 0x72, 0xdb]);
        for wrong in ["", "{}", &PEM[..60], "\u{fffd}", &PEM.replace("MC4C", "AAAA")] {
            let error = ed25519(wrong.as_bytes(), "owner.key", "give it").unwrap_err();
            assert_eq!(error.what, "owner.key is no Ed25519 key in PKCS#8 PEM");
        }
        assert!(ed25519(b"\xff\xfe", "a", "b").is_err());
    }
}
