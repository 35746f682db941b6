//! The client's side of TLS: an upstream has to show a certificate for its name, from Mozilla's CAs or from the one that the measured
//! configuration trusts.

use crate::stop::{OrStop as _, Step};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// `trust`: a CA's certificate, DER in base64; none: Mozilla's.
    ///
    /// # Errors
    /// `upstream-trust`, `upstream-name`, `tls-versions`.
    pub fn new(name: &str, trust: Option<&str>) -> Step<Self> {
        let mut roots = RootCertStore::empty();
        match trust {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(text) => {
                let der = BASE64_STANDARD.decode(text).or_stop("upstream-trust")?;
                roots.add(CertificateDer::from(der)).or_stop("upstream-trust")?;
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().or_stop("tls-versions")?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // nothing is kept from one connection to the next
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(name.to_owned()).or_stop("upstream-name")?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub async fn connect(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
