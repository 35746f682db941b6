//! Servers that answer, and connections to them.

mod lease;
mod tls;
mod wire;

pub use lease::Lease;

use crate::exchange::Exchange;
use crate::forward::Upload;
use crate::limits::{SPARE, SPARE_FOR, STARTING};
use crate::patience::Patience;
use crate::refusal::Refusal;
use crate::stop::{OrStop as _, Step};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use lease::Failure;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use vitrine_attest::config::{GatewayUpstream, UpstreamProtocol};

/// One upstream of the configuration.
pub struct Upstream {
    addresses: Vec<SocketAddr>,
    /// What it gets as Host.
    pub host: HeaderValue,
    tls: Option<tls::Tls>,
    /// For each address.
    connect: Duration,
    spare: Mutex<Vec<(Lease, Instant)>>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upstream")
    }
}

impl Upstream {
    /// # Errors
    /// `upstream-name`, and those of [`tls::Tls::new`].
    pub fn new(config: &GatewayUpstream, connect: Duration) -> Step<Self> {
        let tls = match config.protocol {
            UpstreamProtocol::Plain => None,
            UpstreamProtocol::Tls => Some(tls::Tls::new(&config.name, config.trust.as_deref())?),
        };
        let host = HeaderValue::from_str(&config.name).or_stop("upstream-name")?;
        Ok(Self { addresses: config.addresses.clone(), host, tls, connect, spare: Mutex::default() })
    }

    /// The same, with connections of its own: an event loop drives those that it has opened.
    pub fn beside(&self) -> Self {
        Self {
            addresses: self.addresses.clone(),
            host: self.host.clone(),
            tls: self.tls.clone(),
            connect: self.connect,
            spare: Mutex::default(),
        }
    }

    /// Sends a request, once. The answer comes with the connection that its body will come by.
    ///
    /// Another connection is tried only when hyper gives the request back untouched: a spare connection had ended before the first
    /// byte of the request was written to it.
    pub async fn send(
        self: &Arc<Self>,
        mut request: Request<Upload>,
        exchange: &Exchange,
    ) -> Result<(Response<Incoming>, Lease, Patience), Refusal> {
        let mut patience = Patience::default();
        loop {
            let spare = self.spare();
            let fresh = spare.is_none();
            let mut lease = match spare {
                Some(lease) => lease,
                None => self.fresh().await.ok_or(Refusal::Unreachable)?,
            };
            // the time that it took to get here is nobody's idleness
            exchange.came_up(0);
            match lease.ask(request, exchange, &mut patience).await {
                // nobody has asked for another protocol
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => return Err(Refusal::Broken),
                Ok(response) => return Ok((response, lease, patience)),
                Err(Failure::Unsent(untouched)) if !fresh => request = *untouched,
                Err(Failure::Silent) => return Err(exchange.blamed().unwrap_or(Refusal::NoAnswer)),
                Err(_) => return Err(exchange.blamed().unwrap_or(Refusal::Broken)),
            }
        }
    }

    /// The connection that was used last, if it still is one.
    fn spare(&self) -> Option<Lease> {
        loop {
            // the lock is not held while a connection is looked at
            let (mut lease, since) = self.pool(Vec::pop)?;
            if since.elapsed() < SPARE_FOR && lease.is_ready() {
                return Some(lease);
            }
        }
    }

    /// The first address that lets us in.
    async fn fresh(self: &Arc<Self>) -> Option<Lease> {
        for address in &self.addresses {
            let opened = timeout(self.connect, self.open(*address)).await;
            if let Ok(Some(wire)) = opened {
                return Lease::new(wire, self.clone()).await;
            }
        }
        None
    }

    /// On this machine a program that does not listen is about to: it forgets by starting again.
    async fn open(&self, address: SocketAddr) -> Option<wire::Wire> {
        loop {
            let wire = wire::open(address, self.tls.as_ref()).await;
            if wire.is_some() || !address.ip().is_loopback() {
                return wire;
            }
            sleep(STARTING).await;
        }
    }

    fn keep(&self, lease: Lease) {
        let one_too_many = self.pool(|spare| {
            spare.push((lease, Instant::now()));
            // the oldest
            (spare.len() > SPARE).then(|| spare.remove(0))
        });
        drop(one_too_many);
    }

    /// Ends connections that have waited for too long.
    pub fn sweep(&self) {
        let old: Vec<_> = self.pool(|spare| {
            let young = spare.iter().position(|(_, since)| since.elapsed() < SPARE_FOR).unwrap_or(spare.len());
            spare.drain(..young).collect()
        });
        drop(old);
    }

    fn pool<T>(&self, change: impl FnOnce(&mut Vec<(Lease, Instant)>) -> T) -> T {
        // nothing under the lock can panic half-way
        change(&mut self.spare.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
