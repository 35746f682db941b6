//! Whom we believe about TPMs: certificates of endorsement CAs, given by the person who checks.

use super::der;
use crate::{Error, Result, Sha256};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::CertificateDer;

/// Largest roots file in bytes. All TPM vendors together publish about 300 certificates of 1–2 KiB.
pub const ROOTS_LIMIT: usize = 2 << 20;
/// id-ce-basicConstraints, 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// Trusted certificates. Each one counts as an issuer by itself: pin an intermediate alone, and its root is not needed.
#[derive(Debug, Clone)]
pub struct Roots(pub(super) Vec<CertificateDer<'static>>);

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
        for (certificate, number) in certificates.iter().zip(1..) {
            check_authority(certificate).map_err(|why| unusable(format!("certificate {number} {why}")))?;
        }
        Ok(Self(certificates))
    }

    /// How many certificates there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// SHA-256 of each certificate, in order.
    pub fn digests(&self) -> impl Iterator<Item = Sha256> + '_ {
        self.0.iter().map(|certificate| Sha256::of(certificate))
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
fn check_authority(certificate: &CertificateDer<'_>) -> std::result::Result<(), String> {
    webpki::anchor_from_trusted_cert(certificate).map_err(|e| format!("cannot be read: {e}"))?;
    let Some(constraints) = der::extension(certificate, BASIC_CONSTRAINTS) else { return Ok(()) };
    let authority = der::Elements(constraints)
        .expect(der::SEQUENCE)
        .and_then(|fields| der::Elements(fields).expect(der::BOOLEAN))
        .is_some_and(|value| value == [0xff]);
    if authority {
        Ok(())
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
