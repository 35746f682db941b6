//! The signer's X.509 certificate (RFC 5280 §4.1), as far as a signature needs it.

use super::der::{Reader, BIT_STRING, INTEGER, SEQUENCE};
use ring::signature::{UnparsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::CertificateDer;
use vitrine_attest::{Error, Result};

/// A certificate with an RSA key of 2048 to 8192 bits.
///
/// Says nothing about who issued it or how long it is valid: firmware looks at neither.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    /// `Name`, whole encoding.
    issuer: Vec<u8>,
    /// `INTEGER`, whole encoding.
    serial: Vec<u8>,
    /// `Time`, tag and contents (RFC 5280 §4.1.2.5).
    not_before: (u8, Vec<u8>),
    /// `RSAPublicKey` (RFC 8017 §A.1.1).
    public_key: Vec<u8>,
}

/// rsaEncryption, 1.2.840.113549.1.1.1, as contents of an OID element.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

impl Certificate {
    /// Reads PEM or DER.
    ///
    /// # Errors
    /// When it is no certificate, or one for a key that is not RSA.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let der = match CertificateDer::from_pem_slice(bytes) {
            Ok(certificate) => certificate.to_vec(),
            Err(_) => bytes.to_vec(),
        };
        Self::from_der(der).map_err(|e| e.within("certificate"))
    }

    fn from_der(der: Vec<u8>) -> Result<Self> {
        let mut outer = Reader::new(&der);
        let mut certificate = Reader::new(outer.expect(SEQUENCE)?.content);
        outer.end()?;
        let mut tbs = Reader::new(certificate.expect(SEQUENCE)?.content);
        if tbs.peek() == Some(0xa0) {
            tbs.next()?; // version
        }
        let serial = tbs.expect(INTEGER)?.whole.to_vec();
        tbs.expect(SEQUENCE)?; // signature algorithm
        let issuer = tbs.expect(SEQUENCE)?.whole.to_vec();
        let not_before = Reader::new(tbs.expect(SEQUENCE)?.content).next()?;
        let not_before = (not_before.tag, not_before.content.to_vec());
        tbs.expect(SEQUENCE)?; // subject
        let mut key = Reader::new(tbs.expect(SEQUENCE)?.content);
        let algorithm = Reader::new(key.expect(SEQUENCE)?.content).next()?;
        let bits = key.expect(BIT_STRING)?.content;
        match bits.split_first() {
            Some((0, public_key)) if algorithm.content == RSA_ENCRYPTION => {
                let public_key = public_key.to_vec();
                Ok(Self { issuer, serial, not_before, public_key, der })
            }
            _ => Err(Error::input(
                "its key is not an RSA key, and UEFI firmware knows no others",
                "give an RSA certificate, such as db.crt of `vitrine keygen`",
            )),
        }
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }
    pub(crate) fn issuer(&self) -> &[u8] {
        &self.issuer
    }
    pub(crate) fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Since when it is valid: tag and contents of the element.
    pub(crate) fn not_before(&self) -> (u8, &[u8]) {
        (self.not_before.0, &self.not_before.1)
    }

    /// Checks an RSASSA-PKCS1-v1_5 signature with SHA-256 (RFC 8017 §8.2.2).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key).verify(message, signature).map_err(|_| {
            Error::artefact(
                format!("the signature ({} bytes) does not verify with the certificate's key", signature.len()),
                "sign the bytes of `vitrine sign --print-attributes` with RSA PKCS#1 v1.5 and SHA-256, \
                 and give the certificate of that key with --cert",
            )
        })
    }
}
