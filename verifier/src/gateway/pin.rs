//! TLS 1.3 with whoever holds one key, and with nobody else.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::Resumption;
use rustls::crypto::{ring, verify_tls13_signature, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, PeerIncompatible, SignatureScheme};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use vitrine_attest::{Error, Result, Sha256};
use webpki::EndEntityCert;

pub type Tls = Arc<ClientConfig>;

/// HTTP/1.1 over TLS 1.3 with the holder of the key whose SubjectPublicKeyInfo (DER) has this digest, as `keys.tls_spki` of the
/// evidence has it. No session is taken up again: each connection shows the key anew.
///
/// # Errors
/// Never with the cryptography that is compiled in.
pub fn client(spki: Sha256) -> Result<Tls> {
    let provider = ring::default_provider();
    let pinned = Pinned { spki, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| Error::bug(format!("there is no TLS 1.3 in this program: {e}")))?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Takes the one key, whatever certificate it stands in. A certificate alone shows nothing: it is public. That the other end holds
/// the key is shown by the handshake's signature (RFC 8446 §4.4.3), which is verified with the key in that same certificate.
#[derive(Debug)]
struct Pinned {
    spki: Sha256,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _issuers: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let read = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let found = Sha256::of(&read.subject_public_key_info());
        if bool::from(found.0.ct_eq(&self.spki.0)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    /// TLS 1.2 is not offered.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    /// Of an attested key: ECDSA on P-256 (docs/formats/evidence.md, "Keys").
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::PublicKeyData as _;

    fn verify(pinned: Sha256, certificate: &[u8]) -> std::result::Result<(), rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let name = ServerName::try_from("another.example").unwrap();
        let (certificate, now) = (CertificateDer::from(certificate), UnixTime::since_unix_epoch(Default::default()));
        Pinned { spki: pinned, algorithms }.verify_server_cert(&certificate, &[], &name, &[], now).map(|_| ())
    }

    /// The certificate's own name, dates and issuer do not matter; its key does, and so does that it is a certificate.
    #[test]
    fn only_the_key_counts() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let der = made.cert.der();
        let spki = Sha256::of(&made.signing_key.subject_public_key_info());
        assert_eq!(verify(spki, der), Ok(()));
        let other = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let differs = || Err(CertificateError::ApplicationVerificationFailure.into());
        assert_eq!(verify(spki, other.cert.der()), differs());
        assert_eq!(verify(Sha256::of(der), der), differs(), "the digest of the certificate is not that of its key");
        assert_eq!(verify(Sha256::ZERO, der), differs());
        for end in 0..der.len() {
            assert_eq!(verify(spki, &der[..end]), Err(CertificateError::BadEncoding.into()), "{end} bytes were taken");
        }
    }
}
