//! Authenticode: the signature that UEFI firmware checks before it starts an image.
//!
//! Who signs is open: a key file, an outside command, or somebody far away whose signature is attached later. All
//! three sign the same bytes, [`bytes_to_sign`], and every signature is verified with the certificate before use.

pub mod attach;
mod certificate;
pub(crate) mod der;
mod signer;
pub(crate) mod spc;

pub use certificate::Certificate;
pub use signer::{Key, Signer};

use vitrine_attest::{pe, Result, Sha256};

/// The DER of the authenticated attributes: what a signer signs with RSA PKCS#1 v1.5 and SHA-256.
///
/// # Errors
/// When `image` is no PE file.
pub fn bytes_to_sign(image: &[u8]) -> Result<Vec<u8>> {
    Ok(spc::signed_bytes(pe::authenticode(image)?))
}

/// A signature that verifies, and what it signs.
#[derive(Debug)]
pub struct Signature {
    /// Authenticode digest of the image.
    pub digest: Sha256,
    /// What goes into the certificate table, DER.
    pub pkcs7: Vec<u8>,
}

/// Signs an image. The same image, key and certificate give the same bytes.
///
/// # Errors
/// When the image is malformed, the signer fails, or its signature does not verify.
pub fn signature(image: &[u8], signer: &Signer) -> Result<Signature> {
    let digest = pe::authenticode(image)?;
    let signature = signer.sign(&spc::signed_bytes(digest))?;
    Ok(Signature { digest, pkcs7: spc::signed_data(digest, signer.certificate(), &signature) })
}

/// Gives the image with its certificate table.
///
/// # Errors
/// As [`signature`], and when the image is signed already.
pub fn sign(image: &[u8], signer: &Signer) -> Result<Vec<u8>> {
    attach::attach(image.to_vec(), &signature(image, signer)?.pkcs7)
}

#[cfg(test)]
mod tests;
