//! Private Ed25519 keys in files that nobody else can read, as `vitrine keygen` writes them.

use crate::{files, server};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::SigningKey;
use std::path::Path;
use vitrine_attest::{private_key, Error, Result};
use zeroize::Zeroizing;

/// Longest file in bytes: a PKCS#8 PEM of Ed25519 has 119.
const LIMIT: usize = 4096;

/// `hint`: which key it should be.
///
/// # Errors
/// When others can read it, or it is something else.
pub fn read(path: &Path, hint: &str) -> Result<SigningKey> {
    private_key::ed25519(&files::read_secret(path, LIMIT)?, path.display(), hint)
}

/// # Errors
/// When the system has no random bytes.
pub fn new() -> Result<SigningKey> {
    Ok(SigningKey::from_bytes(&Zeroizing::new(server::random()?)))
}

/// What [`read`] reads.
///
/// # Errors
/// None that is known.
pub fn to_pem(key: &SigningKey) -> Result<Zeroizing<String>> {
    key.to_pkcs8_pem(LineEnding::LF).map_err(|e| Error::bug(format!("a key has no PEM form: {e}")))
}
