//! The client's private key. It comes from a file or is made here, never from the command line.

use crate::files;
use crate::server::random;
use std::path::Path;
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// A key in base64 has 44 bytes, with its line end 45.
const KEY_LIMIT: usize = 256;

/// X25519 (RFC 7748), wiped when dropped.
pub struct PrivateKey(StaticSecret);

impl PrivateKey {
    pub fn generate() -> Result<Self> {
        // clamped as `wg genkey` does, so that the file's bytes are the scalar's (RFC 7748 §5)
        let mut bytes = Zeroizing::new(random()?);
        bytes[0] &= 248;
        bytes[31] = bytes[31] & 127 | 64;
        Ok(Self(StaticSecret::from(*bytes)))
    }

    /// As `wg genkey` writes it.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read_secret(path, KEY_LIMIT)?;
        let key = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse::<Key32>().ok());
        match key.map(|key| Zeroizing::new(key.0)) {
            Some(bytes) if *bytes != [0; 32] => Ok(Self(StaticSecret::from(*bytes))),
            _ => Err(Error::input(
                format!("{} is no WireGuard private key", path.display()),
                "give a file made by `wg genkey`, or use --generate",
            )),
        }
    }

    pub fn public(&self) -> Key32 {
        Key32(PublicKey::from(&self.0).to_bytes())
    }

    /// For the configuration.
    pub fn base64(&self) -> Zeroizing<String> {
        Zeroizing::new(Key32(self.0.to_bytes()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by a program written from RFC 7748 §5 alone.
    #[test]
    fn the_public_half_is_that_of_the_standard() {
        let public = PrivateKey(StaticSecret::from([7; 32])).public();
        let expected = "13be4feaeaf204c7fd3358fc9c00721881d174278128227ec674f37f7fe97b6d";
        assert_eq!(vitrine_attest::digest::hex(&public.0), expected);
    }

    #[test]
    fn new_keys_are_clamped_and_new() {
        let (one, two) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        assert_ne!(one.public(), two.public());
        let bytes = one.0.to_bytes();
        assert_eq!((bytes[0] & 7, bytes[31] & 192), (0, 64));
    }
}
