//! ML-DSA-44 (FIPS 204) with the empty context, for cosignatures of witnesses only; with the feature `ml-dsa`.
//!
//! What is signed stands in [`crate::note`], key texts in [`crate::vkey`]. A signature of 2420 bytes has one spelling: other hints
//! of the same value are refused, as FIPS 204 has it.

use crate::{Error, Result};
use ed25519_dalek::pkcs8::spki::der::pem::{self, LineEnding};
use fips204::ml_dsa_44 as scheme;
use fips204::traits::{KeyGen as _, SerDes as _, Signer as _, Verifier as _};
use std::fmt;
use std::fmt::Display;
use zeroize::Zeroizing;

/// Of a public key, in bytes.
pub const KEY_LENGTH: usize = scheme::PK_LEN;
/// Of a signature, in bytes.
pub const SIGNATURE_LENGTH: usize = scheme::SIG_LEN;
/// PKCS#8 of a key that is kept as its seed (RFC 9881 §6), without the 32 bytes at its end.
const PKCS8: [u8; 22] = [
    0x30, 0x34, 0x02, 0x01, 0x00, // version
    0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11, // id-ml-dsa-44
    0x04, 0x22, 0x80, 0x20, // seed [0]
];
const LABEL: &str = "PRIVATE KEY";

/// A public key: any 1312 bytes are one.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Box<[u8; KEY_LENGTH]>);

impl PublicKey {
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key: [u8; KEY_LENGTH] = bytes.try_into().ok()?;
        scheme::PublicKey::try_from_bytes(key).ok()?;
        Some(Self(Box::new(key)))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// Whether this is its signature of these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let (key, signature) = (scheme::PublicKey::try_from_bytes(*self.0), signature.try_into());
        let (Ok(key), Ok(signature)) = (key, signature) else { return false };
        key.verify(message, &signature, &[])
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ML-DSA-44 {}…", crate::digest::hex(&self.0[..8]))
    }
}

/// A private key, kept as its seed; wiped when it goes.
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// The key of 32 random bytes (FIPS 204, `ML-DSA.KeyGen_internal`).
    pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        Self(seed)
    }

    /// PKCS#8 in PEM (RFC 9881 §6, form `seed`), as [`SecretKey::to_pem`] writes it. `file` and `hint` are for the message, which says
    /// nothing of what is in the file.
    ///
    /// # Errors
    /// [`crate::Blame::Input`] when it is something else, also a key that is not kept as a seed.
    pub fn from_pem(bytes: &[u8], file: impl Display, hint: &str) -> Result<Self> {
        let seed = || {
            let (label, der) = pem::decode_vec(bytes).ok()?;
            let der = Zeroizing::new(der);
            let seed = der.strip_prefix(&PKCS8).filter(|_| label == LABEL)?;
            Some(Self(Zeroizing::new(seed.try_into().ok()?)))
        };
        seed().ok_or_else(|| Error::input(format!("{file} is no ML-DSA-44 key in PKCS#8 PEM, as a seed"), hint))
    }

    /// # Errors
    /// Never, for a key of this length.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        let der = Zeroizing::new([&PKCS8[..], &self.0[..]].concat());
        let text = pem::encode_string(LABEL, LineEnding::LF, &der);
        text.map(Zeroizing::new).map_err(|e| Error::bug(format!("a key has no PEM form: {e}")))
    }

    pub fn public(&self) -> PublicKey {
        let (public, _) = scheme::KG::keygen_from_seed(&self.0);
        PublicKey(Box::new(public.into_bytes()))
    }

    /// Signs these bytes. `hedge` is random, new for each signature; with zeros it is always the same (FIPS 204, "deterministic
    /// variant"), which is weaker against somebody who makes the machine fail while it signs.
    ///
    /// # Errors
    /// When 814 attempts failed: with a probability of 2^-256.
    pub fn sign(&self, message: &[u8], hedge: &[u8; 32]) -> Result<Vec<u8>> {
        let (_, secret) = scheme::KG::keygen_from_seed(&self.0);
        let signature = secret.try_sign_with_seed(hedge, message, &[]);
        signature.map(|signature| signature.to_vec()).map_err(|e| Error::bug(format!("ML-DSA-44: {e}")))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::hex;

    /// RFC 9881, appendix C.1.1: the key whose seed is 00 01 … 1f.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
        MDQCAQAwCwYJYIZIAWUDBAMRBCKAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ\n\
        GhscHR4f\n-----END PRIVATE KEY-----\n";

    fn key() -> SecretKey {
        SecretKey::from_seed(Zeroizing::new(std::array::from_fn(|n| n as u8)))
    }

    #[test]
    fn the_key_of_the_standard_is_read_and_written_back() {
        let read = SecretKey::from_pem(PEM.as_bytes(), "a", "b").unwrap();
        assert_eq!(*read.0, *key().0);
        assert_eq!(*key().to_pem().unwrap(), PEM);
        assert_eq!(hex(&read.public().as_bytes()[..16]), "d7b2b47254aae0db45e7930d4a98d2c9");
        assert_eq!(format!("{read:?}"), "SecretKey(…)");
    }

    #[test]
    fn other_keys_are_refused() {
        let expanded = PEM.replace("BCKAIAAB", "BCIEIAAB");
        let other = PEM.replace("BAMRBCKA", "BAMSBCKA"); // ML-DSA-65
        let label = PEM.replace("PRIVATE", "PUBLIC");
        let ed25519 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        for wrong in ["", "{}", &PEM[..60], &expanded, &other, &label, ed25519, &format!("{PEM}x")] {
            let error = SecretKey::from_pem(wrong.as_bytes(), "w.key", "give it").unwrap_err();
            assert_eq!(error.what, "w.key is no ML-DSA-44 key in PKCS#8 PEM, as a seed", "{wrong}");
        }
    }

    #[test]
    fn with_and_without_chance() {
        let (key, public) = (key(), key().public());
        let zeros = key.sign(b"text", &[0; 32]).unwrap();
        assert_eq!(zeros, key.sign(b"text", &[0; 32]).unwrap());
        let hedged = key.sign(b"text", &[7; 32]).unwrap();
        assert_ne!(zeros, hedged);
        assert!(public.verify(b"text", &zeros) && public.verify(b"text", &hedged));
        assert!(
            !public.verify(b"texT", &zeros) && !public.verify(b"text", &zeros[1..]) && !public.verify(b"text", b"")
        );
    }

    /// The context is empty: one with a context is another signature.
    #[test]
    fn no_context() {
        let (public, secret) = scheme::KG::keygen_from_seed(&key().0);
        let signature = secret.try_sign_with_seed(&[0; 32], b"text", b"x").unwrap();
        assert!(public.verify(b"text", &signature, b"x"));
        assert!(!key().public().verify(b"text", &signature));
    }

    #[test]
    fn keys_have_one_length() {
        let bytes = key().public().as_bytes().to_vec();
        assert_eq!(PublicKey::from_bytes(&bytes), Some(key().public()));
        assert!(
            PublicKey::from_bytes(&bytes[1..]).is_none() && PublicKey::from_bytes(&[bytes, vec![0]].concat()).is_none()
        );
    }

    #[test]
    fn lengths() {
        assert_eq!((KEY_LENGTH, SIGNATURE_LENGTH), (1312, 2420));
    }
}
