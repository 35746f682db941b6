//! Another resolver over DoT (RFC 7858), DoH (RFC 8484) or DNSCrypt. It is not believed: every answer is validated here.

use super::dnscrypt::DnsCrypt;
use super::line::{Line, Pool};
use super::recursive::times;
use super::remember::Remember;
use super::validating::{with_signatures, Validating};
use super::verdict::{self, Failure, Found, Validation};
use super::Wish;
use crate::limits;
use crate::stop::{OrStop as _, Step};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use ed25519_dalek::VerifyingKey;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::op::{DnsRequest, Query};
use hickory_proto::rr::Name;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::{PoolContext, ResponseCache, TlsConfig};
use rustls::pki_types::CertificateDer;
use rustls::RootCertStore;
use std::cell::Cell;
use std::sync::Arc;
use vitrine_attest::config::{Cache, ForwardProtocol, ForwardServer};

pub struct Forwarders {
    servers: Vec<Forwarder>,
    /// Who answered last; asked first.
    good: Cell<usize>,
}

struct Forwarder {
    validating: Validating<Remember<Line>>,
    plain: Line,
}

impl Forwarders {
    /// # Errors
    /// `forward-trust`: no certificate. `forward-key`, `forward-name`: not what a DNSCrypt provider has.
    pub fn new(servers: &[ForwardServer], anchors: Arc<TrustAnchors>, cache: &Cache) -> Step<Self> {
        let servers = servers.iter().map(|server| Forwarder::new(server, &anchors, cache)).collect::<Step<_>>()?;
        Ok(Self { servers, good: Cell::new(0) })
    }

    /// Asks one after the other until somebody answers.
    pub async fn ask(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        let first = self.good.get();
        let mut failure = Failure::Unreachable;
        for step in 0..self.servers.len() {
            let at = (first + step) % self.servers.len();
            let ask = self.servers[at].ask(query.clone(), wish);
            match tokio::time::timeout(limits::FORWARDER, ask).await {
                Ok(Ok(found)) => {
                    self.good.set(at);
                    return Ok(found);
                }
                // a second opinion: one of them may be lying, or have an old copy
                Ok(Err(reason)) => failure = reason,
                Err(_) => {}
            }
        }
        Err(failure)
    }
}

impl Forwarder {
    fn new(server: &ForwardServer, anchors: &Arc<TrustAnchors>, cache: &Cache) -> Step<Self> {
        let name = || Arc::from(server.name.as_str());
        let plain = match server.protocol {
            ForwardProtocol::Dot => pool(server, ConnectionConfig::tls(name()))?,
            ForwardProtocol::Doh => pool(server, ConnectionConfig::https(name(), None))?,
            ForwardProtocol::DnsCrypt => dnscrypt(server)?,
        };
        let memory =
            Remember::new(plain.clone(), ResponseCache::new(cache.entries.min(limits::KEYS).into(), times(cache)));
        let validating = Validating::new(memory, anchors.clone(), cache);
        Ok(Self { validating, plain })
    }

    async fn ask(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        match wish.checking_disabled {
            false => self.validating.ask(query).await,
            true => unchecked(&self.plain, query).await,
        }
    }
}

/// Passes CD on: the forwarder is not to check either (RFC 4035 §3.2.2).
async fn unchecked(line: &Line, query: Query) -> Result<Found, Failure> {
    let mut request = DnsRequest::from_query(query, with_signatures());
    request.metadata.checking_disabled = true;
    match line.send(request).first_answer().await {
        Ok(response) => verdict::of_message(response.into_message(), Validation::Skipped),
        Err(error) => verdict::of_error(error, Validation::Skipped),
    }
}

fn pool(server: &ForwardServer, mut connection: ConnectionConfig) -> Step<Line> {
    connection.port = server.address.port();
    let context = Arc::new(PoolContext::new(options(), TlsConfig { config: tls(server.trust.as_deref())? }));
    let config = NameServerConfig::new(server.address.ip(), true, vec![connection]);
    Ok(Line::Tls(Pool::from_config([config], context, TokioRuntimeProvider::new())))
}

fn dnscrypt(server: &ForwardServer) -> Step<Line> {
    let key = server.key.or_stop("forward-key")?;
    let provider = VerifyingKey::from_bytes(key.bytes()).or_stop("forward-key")?;
    let mut name = Name::from_ascii(&server.name).or_stop("forward-name")?;
    name.set_fqdn(true);
    Ok(Line::DnsCrypt(DnsCrypt::new(server.address, name, provider)))
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = limits::FORWARDER;
    options.attempts = 1;
    options.max_active_requests = limits::IN_FLIGHT;
    options
}

/// TLS with one CA, or with Mozilla's.
fn tls(trust: Option<&str>) -> Step<rustls::ClientConfig> {
    let mut roots = RootCertStore::empty();
    match trust {
        Some(text) => {
            let der = BASE64_STANDARD.decode(text).or_stop("forward-trust")?;
            roots.add(CertificateDer::from(der)).or_stop("forward-trust")?;
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().or_stop("forward-tls")?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
