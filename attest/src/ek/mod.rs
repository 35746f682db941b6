//! The endorsement key's certificate: who says that this key is in a real TPM (TCG EK Credential Profile 2.5).
//!
//! Tolerance, each for real certificates in the field:
//! * NV indices are longer than the certificate: zeros or ones after it are cut off, anything else is refused.
//! * Every given root counts as an issuer by itself, with whatever signature it has itself: some vendors' roots are
//!   P-521 or SHA-1, which ring does not verify; then the issuing CA is given as root.
//! * Certificates above the leaf may lack the extended key usage; the leaf may not.
//! * An RSA key may stand under id-RSAES-OAEP instead of rsaEncryption.
//! * keyUsage is not looked at. What the key can do is shown by credential activation, not by the certificate.
//!
//! Dates are enforced. Revocation is not looked up: nobody is asked about the server that is checked.

mod chains;
pub mod der;
mod roots;

pub use roots::{Roots, ROOTS_LIMIT};

use crate::tpm::{KeyKind, Public};
use crate::Sha256;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};

/// tcg-kp-EKCertificate, 2.23.133.8.1.
const EK_USAGE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];
/// id-ce-extKeyUsage, 2.5.29.37.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// rsaEncryption and id-RSAES-OAEP (RFC 8017, appendix C).
const RSA_OIDS: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7]];
/// id-ecPublicKey and prime256v1 (RFC 5480 §2.1.1).
const EC_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// Why an endorsement key's certificate was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EkProblem {
    /// This TPM has no certificate, or the server hides it.
    Absent,
    Malformed(String),
    /// No chain to a given root; or outside its dates.
    Untrusted(String),
    /// The leaf is not for an endorsement key.
    Usage,
    /// It certifies another key than `ek_pub`.
    OtherKey,
}

impl EkProblem {
    /// Stable reason code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absent => "ek-certificate-absent",
            Self::Malformed(_) => "ek-certificate-malformed",
            Self::Untrusted(_) => "ek-chain-untrusted",
            Self::Usage => "ek-usage-wrong",
            Self::OtherKey => "ek-key-differs",
        }
    }
}

impl std::fmt::Display for EkProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("the server gave no EK certificate"),
            Self::Malformed(why) => write!(f, "the EK certificate is malformed: {why}"),
            Self::Untrusted(why) => write!(f, "the EK certificate does not lead to a given root: {why}"),
            Self::Usage => f.write_str("the certificate is not for an endorsement key (no 2.23.133.8.1)"),
            Self::OtherKey => f.write_str("the EK certificate is for another key than the server's EK"),
        }
    }
}

/// A certificate that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// SHA-256 of the EK certificate without padding: tells this TPM from all others.
    pub certificate: Sha256,
    /// SHA-256 of the given root that the chain ends in.
    pub root: Sha256,
}

/// Checks that `certificate` leads to one of `roots` at the time `now` (seconds since 1970, UTC), is for an
/// endorsement key, and that this is the key `ek`.
///
/// Does not prove that the TPM holding this key made any quote: that is credential activation.
pub fn verify(certificate: &[u8], ek: &Public, roots: &Roots, now: u64) -> Result<Endorsement, EkProblem> {
    let certificate = trim(certificate)?;
    let digest = Sha256::of(certificate);
    let root = match roots.chains().root_of(&digest, now) {
        Some(root) => root,
        None => {
            let root = chain(certificate, roots, now)?;
            roots.chains().keep(digest, root, der::validity(certificate));
            root
        }
    };
    if !has_ek_usage(certificate) {
        return Err(EkProblem::Usage);
    }
    match same_key(certificate, ek) {
        Some(true) => Ok(Endorsement { certificate: digest, root }),
        Some(false) => Err(EkProblem::OtherKey),
        None => Err(EkProblem::Malformed("its public key cannot be read".into())),
    }
}

/// The certificate without what NV pads it with.
fn trim(bytes: &[u8]) -> Result<&[u8], EkProblem> {
    if bytes.is_empty() {
        return Err(EkProblem::Absent);
    }
    let (certificate, padding) =
        der::split_sequence(bytes).ok_or_else(|| EkProblem::Malformed("it is not whole DER".into()))?;
    if !padding.iter().all(|&byte| byte == 0) && !padding.iter().all(|&byte| byte == 0xff) {
        return Err(EkProblem::Malformed(format!("{} bytes after it are no padding", padding.len())));
    }
    Ok(certificate)
}

/// The digest of the root that the chain ends in.
fn chain(certificate: &[u8], roots: &Roots, now: u64) -> Result<Sha256, EkProblem> {
    let untrusted = |e: webpki::Error| EkProblem::Untrusted(e.to_string());
    let der = CertificateDer::from(certificate);
    let leaf = EndEntityCert::try_from(&der).map_err(|e| EkProblem::Malformed(e.to_string()))?;
    let path = leaf
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            roots.anchors(),
            &[],
            UnixTime::since_unix_epoch(Duration::from_secs(now)),
            KeyUsage::required_if_present(EK_USAGE),
            None,
            None,
        )
        .map_err(untrusted)?;
    let used = roots.anchors().iter().position(|anchor| anchor == path.anchor());
    used.and_then(|index| roots.digests().nth(index))
        .ok_or_else(|| EkProblem::Untrusted("the chain ends in no given root".into()))
}

fn has_ek_usage(certificate: &[u8]) -> bool {
    der::extension(certificate, EXTENDED_KEY_USAGE)
        .and_then(|value| der::Elements(value).expect(der::SEQUENCE))
        .is_some_and(|usages| der::Elements(usages).any(|usage| usage.tag == der::OID && usage.content == EK_USAGE))
}

/// Whether the certificate is for this key; none when its key cannot be read.
fn same_key(certificate: &[u8], ek: &Public) -> Option<bool> {
    let mut info = der::Elements(der::Elements(der::public_key_info(certificate)?).expect(der::SEQUENCE)?);
    let mut algorithm = der::Elements(info.expect(der::SEQUENCE)?);
    let oid = algorithm.expect(der::OID)?;
    let (&unused_bits, key) = info.expect(der::BIT_STRING)?.split_first()?;
    if unused_bits != 0 {
        return None;
    }
    match &ek.kind {
        KeyKind::Ecc(_) => {
            let p256 = oid == EC_OID && algorithm.expect(der::OID) == Some(P256_OID);
            Some(p256 && ek.p256_point().is_some_and(|point| point.as_slice() == key))
        }
        KeyKind::Rsa { exponent, modulus, .. } => {
            if !RSA_OIDS.contains(&oid) {
                return Some(false);
            }
            let mut numbers = der::Elements(der::Elements(key).expect(der::SEQUENCE)?);
            let (n, e) = (numbers.expect(der::INTEGER)?, numbers.expect(der::INTEGER)?);
            Some(unsigned(n) == unsigned(modulus) && unsigned(e) == unsigned(&exponent.to_be_bytes()))
        }
    }
}

/// A big-endian number without leading zeros.
fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests;
