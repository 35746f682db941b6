//! Whom we believe about TPMs: certificates of endorsement CAs, given by the person who checks.

use super::chains::Chains;
use super::der;
use crate::{Error, Result, Sha256};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Largest roots file in bytes. All TPM vendors together publish about 300 certificates of 1–2 KiB.
pub const ROOTS_LIMIT: usize = 2 << 20;
/// id-ce-basicConstraints, 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// Trusted certificates. Each one counts as an issuer by itself: pin an intermediate alone, and its root is not needed.
///
/// Clones share what they have found out: a certificate that led to one of them once is not verified again (see
/// `chains.rs`).
#[derive(Debug, Clone)]
pub struct Roots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// One for each certificate, in order; read once.
    anchors: Vec<TrustAnchor<'static>>,
    digests: Vec<Sha256>,
    chains: Chains,
}

impl Roots {
    /// Reads one or many certificates, PEM or DER. Text around PEM blocks is ignored.
    ///
    /// # Errors
    /// When there is none, or one of them is no certificate of a CA: a mistake here must not go unnoticed.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > ROOTS_LIMIT {
            return Err(unusable(format!("more than {ROOTS_LIMIT} bytes")));
        }
        let certificates = match bytes.first() {
            Some(&der::SEQUENCE) => all_der(bytes)?,
            _ => CertificateDer::pem_slice_iter(bytes)
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|e| unusable(e.to_string()))?,
        };
        if certificates.is_empty() {
            return Err(unusable("no certificate in it".into()));
        }
        let anchors = certificates
            .iter()
            .zip(1..)
            .map(|(certificate, number)| {
                authority(certificate).map_err(|why| unusable(format!("certificate {number} {why}")))
            })
            .collect::<Result<_>>()?;
        Ok(Self::of(anchors, certificates.iter().map(|certificate| Sha256::of(certificate)).collect()))
    }

    fn of(anchors: Vec<TrustAnchor<'static>>, digests: Vec<Sha256>) -> Self {
        Self(Arc::new(Shared { anchors, digests, chains: Chains::default() }))
    }

    /// All of these, in order; what is there twice counts once. Nothing is read again.
    pub fn joined(parts: &[Self]) -> Self {
        let (mut anchors, mut digests) = (vec![], vec![]);
        let mut seen = BTreeSet::new();
        for Shared { anchors: more, digests: of, .. } in parts.iter().map(|part| &*part.0) {
            for (anchor, digest) in more.iter().zip(of).filter(|(_, digest)| seen.insert(**digest)) {
                anchors.push(anchor.clone());
                digests.push(*digest);
            }
        }
        Self::of(anchors, digests)
    }

    /// How many certificates there are.
    pub fn count(&self) -> usize {
        self.0.digests.len()
    }

    /// SHA-256 of each certificate, in order.
    pub fn digests(&self) -> impl Iterator<Item = Sha256> + '_ {
        self.0.digests.iter().copied()
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0.anchors
    }

    pub(super) fn chains(&self) -> &Chains {
        &self.0.chains
    }
}

fn all_der(mut bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let mut certificates = Vec::new();
    while !bytes.is_empty() {
        let (certificate, rest) =
            der::split_sequence(bytes).ok_or_else(|| unusable("it is neither PEM nor whole DER".into()))?;
        certificates.push(CertificateDer::from(certificate.to_vec()));
        bytes = rest;
    }
    Ok(certificates)
}

/// Version 1 certificates have no extensions and are taken; where basicConstraints is, it has to say CA.
fn authority(certificate: &CertificateDer<'_>) -> std::result::Result<TrustAnchor<'static>, String> {
    let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|e| format!("cannot be read: {e}"))?.to_owned();
    let Some(constraints) = der::extension(certificate, BASIC_CONSTRAINTS) else { return Ok(anchor) };
    let authority = der::Elements(constraints)
        .expect(der::SEQUENCE)
        .and_then(|fields| der::Elements(fields).expect(der::BOOLEAN))
        .is_some_and(|value| value == [0xff]);
    if authority {
        Ok(anchor)
    } else {
        Err("is not that of a CA".into())
    }
}

fn unusable(what: String) -> Error {
    Error::input(
        format!("EK roots: {what}"),
        "give --ek-roots a file with the TPM vendor's CA certificates, PEM or DER",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;

    #[test]
    fn pem_and_der_one_and_many() {
        let names = ["gcp_ek_ak_ca_root.crt", "gcp_ek_ak_ca_intermediate_v3.crt", "tpm_ek_root_1.cer"];
        let all: Vec<_> = names.iter().filter_map(|name| vector(&format!("ek-certs/{name}"))).collect();
        if all.len() < names.len() {
            return;
        }
        assert!(all.iter().all(|bytes| Roots::parse(bytes).unwrap().count() == 1));
        assert_eq!(Roots::parse(&all.concat()).unwrap().count(), 3);
        let pem: String = all.iter().map(|bytes| pem(bytes)).collect();
        assert_eq!(
            Roots::parse(format!("# two lines\n# of text\n{pem}").as_bytes()).unwrap().digests().collect::<Vec<_>>(),
            all.iter().map(|bytes| Sha256::of(bytes)).collect::<Vec<_>>()
        );
    }

    fn pem(der: &[u8]) -> String {
        use base64::{engine::general_purpose::STANDARD, Engine as _};
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
    }

    #[test]
    fn refusals() {
        for bad in [&b""[..], b"hello", b"\x30\x03\x02\x01", b"\x30\x03\x02\x01\x00", &vec![0x30; ROOTS_LIMIT + 1]] {
            assert!(Roots::parse(bad).is_err());
        }
        let broken = pem(&[0x30, 0]);
        assert!(Roots::parse(broken.as_bytes()).unwrap_err().what.contains("certificate 1"));
        if let Some(leaf) = vector("ek-certs/uca_tpm_rsa_enc_cert.pem") {
            assert!(Roots::parse(&leaf).unwrap_err().what.contains("not that of a CA"));
        }
    }
}
