//! The server's side of TLS: a certificate that nobody but the attested key vouches for.

use crate::stop::{OrStop as _, Step};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::ServerConfig;
use std::net::IpAddr;
use std::sync::Arc;
use vitrine_attest::inside::TlsKey;

/// A self-signed certificate for the server's addresses. A client compares the key with the one in the evidence
/// (`BootKeys::tls_spki`), so names and times in it prove nothing; the times span every clock.
///
/// # Errors
/// `tls-key`: not an ECDSA P-256 key in PKCS#8; `tls-certificate`.
pub fn config(key: &TlsKey, addresses: &[IpAddr], protocols: &[&[u8]]) -> Step<Arc<ServerConfig>> {
    let der = PrivatePkcs8KeyDer::from(key.0.clone());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).or_stop("tls-key")?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "vitrine");
    params.subject_alt_names = addresses.iter().copied().map(SanType::IpAddress).collect();
    let certificate = params.self_signed(&pair).or_stop("tls-certificate")?.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().or_stop("tls-versions")?.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(der)).or_stop("tls-key")?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    // no resumption: a ticket recognises whoever shows it again
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
