//! Another resolver over DNSCrypt version 2 (<https://dnscrypt.info/protocol>; draft-denis-dprive-dnscrypt).
//!
//! ```text
//! TXT 2.dnscrypt-cert.… in the clear ─ certificate, signed by the configured key ─ sealed question ─ sealed answer
//! ```
//! It says who answers and hides what is asked on the way. It does not say that the answer is true: that is DNSSEC's
//! part, as with every forwarder. The certificate's question tells the network which provider is asked.

pub mod certificate;
mod keeper;
mod missed;
pub mod padding;
#[cfg(any(test, fuzzing))]
pub mod resolver_side;
pub mod seal;
mod wire;

use crate::limits;
use certificate::Certificate;
use ed25519_dalek::VerifyingKey;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_net::NetError;
use hickory_proto::op::{DnsRequest, DnsResponse, Query};
use hickory_proto::rr::Name;
use keeper::Keeper;
use missed::Missed;
use seal::{Fresh, Opener};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Bytes of a padded question over UDP, at the beginning and at most: the packet has 1220 then, which no path fragments.
/// An answer over UDP may not be longer than its question, so each one that was cut makes the next questions longer.
const FIRST_LENGTH: usize = 512;
const MOST_LENGTH: usize = (limits::UDP_ANSWER - seal::OVERHEAD) / padding::BLOCK * padding::BLOCK;

/// One server. Clones are the same one.
#[derive(Clone)]
pub struct DnsCrypt(Arc<Inner>);

struct Inner {
    server: SocketAddr,
    keeper: Arc<Keeper>,
    /// Bytes of a padded question over UDP, at least: `min-query-len` of the protocol.
    length: AtomicUsize,
    udp: Missed,
    in_flight: Semaphore,
}

/// A question's bytes, and what its answer has to repeat.
struct Question {
    id: u16,
    query: Query,
    bytes: Vec<u8>,
}

impl DnsCrypt {
    pub fn new(server: SocketAddr, name: Name, provider: VerifyingKey) -> Self {
        Self(Arc::new(Inner {
            server,
            keeper: Arc::new(Keeper::new(server, name, provider)),
            length: AtomicUsize::new(FIRST_LENGTH),
            udp: Missed::default(),
            in_flight: Semaphore::new(limits::IN_FLIGHT),
        }))
    }
}

impl DnsHandle for DnsCrypt {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let inner = self.0.clone();
        stream::once(async move { inner.ask(request).await }).boxed()
    }
}

impl Inner {
    async fn ask(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let _place = self.in_flight.try_acquire().map_err(|_| NetError::Busy)?;
        let certificate = self.keeper.certificate().await?;
        let question = Question::new(request)?;
        let lost = match self.over_udp(&certificate, &question).await {
            Some(Ok(answer)) if !answer.metadata.truncation => return Ok(answer),
            Some(Ok(_)) | None => false,
            Some(Err(_)) => true,
        };
        if lost {
            self.keeper.doubt();
        }
        let answer = self.over_tcp(&certificate, &question).await?;
        if lost {
            self.udp.missed();
        }
        match answer.metadata.truncation {
            true => Err(NetError::Truncated),
            false => Ok(answer),
        }
    }

    /// `None`: not asked, because UDP does not get through at present.
    async fn over_udp(&self, certificate: &Certificate, question: &Question) -> Option<Result<DnsResponse, NetError>> {
        if self.udp.is_blocked() {
            return None;
        }
        let least = self.length.load(Ordering::Relaxed);
        let (packet, opener) = match question.seal(certificate, least) {
            Ok(sealed) => sealed,
            Err(error) => return Some(Err(error)),
        };
        let answer = wire::udp(self.server, &packet, |packet| question.read(&opener, packet)).await;
        if let Ok(answer) = &answer {
            self.udp.heard();
            if answer.metadata.truncation {
                self.length.store((least + padding::BLOCK).min(MOST_LENGTH), Ordering::Relaxed);
            }
        }
        Some(answer)
    }

    /// Padded to one of the next four multiples, at random (§5).
    async fn over_tcp(&self, certificate: &Certificate, question: &Question) -> Result<DnsResponse, NetError> {
        let blocks = usize::from(keeper::random_id().map_err(|_| NetError::Message("random"))? % 4);
        let (packet, opener) = question.seal(certificate, question.bytes.len() + 1 + blocks * padding::BLOCK)?;
        let answer = wire::tcp(self.server, &packet).await?;
        question.read(&opener, &answer).ok_or(NetError::Message("answer"))
    }
}

impl Question {
    fn new(request: DnsRequest) -> Result<Self, NetError> {
        let (mut message, _) = request.into_parts();
        let id = keeper::random_id().map_err(|_| NetError::Message("random"))?;
        message.metadata.id = id;
        let query = message.queries.first().cloned().ok_or(NetError::Message("question"))?;
        Ok(Self { id, query, bytes: message.to_vec()? })
    }

    /// With a key pair and a nonce that nothing else has.
    fn seal(&self, certificate: &Certificate, least: usize) -> Result<(Vec<u8>, Opener), NetError> {
        let fresh = Fresh::random().map_err(|_| NetError::Message("random"))?;
        fresh.seal(certificate, &self.bytes, least).ok_or(NetError::Message("key"))
    }

    /// An answer to this question; `None` for everything else.
    fn read(&self, opener: &Opener, packet: &[u8]) -> Option<DnsResponse> {
        let answer = DnsResponse::from_buffer(opener.open(packet)?).ok()?;
        (answer.metadata.id == self.id && answer.queries == [self.query.clone()]).then_some(answer)
    }
}
