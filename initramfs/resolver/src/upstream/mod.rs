//! Where answers come from, and what makes them worth giving out.

mod anchors;
mod chase;
mod datagram;
pub mod dnscrypt;
mod forward;
mod line;
mod minimal;
mod once;
mod outside;
mod recursive;
mod remember;
mod roots;
mod validating;
mod verdict;
mod walk;
mod wildcard;

use crate::key::Key;
use crate::limits;
use crate::question::Question;
use crate::stop::{OrStop as _, Step};
use forward::Forwarders;
use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};
use recursive::Recursion;
pub use verdict::{Failure, Found};
use vitrine_attest::config;

/// What a question needs to know about how to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// With DNSSEC records.
    pub dnssec_ok: bool,
    /// Without validation (RFC 4035 §3.2.2).
    pub checking_disabled: bool,
}

pub enum Upstream {
    Recursion(Box<Recursion>),
    Forwarders(Forwarders),
}

impl Upstream {
    /// `port` is the one at which authorities are asked; only tests have another one than 53.
    ///
    /// # Errors
    /// A fixed code for a part of the configuration that cannot be used.
    pub fn new(resolver: &config::Resolver, port: u16) -> Step<Self> {
        Ok(match &resolver.upstream {
            config::Upstream::Recursive { roots, trust_anchors } => {
                let anchors = anchors::read(trust_anchors)?;
                Self::Recursion(Box::new(Recursion::new(roots, anchors, &resolver.cache, port)?))
            }
            config::Upstream::Forward { servers, trust_anchors } => {
                let anchors = anchors::read(trust_anchors)?;
                Self::Forwarders(Forwarders::new(servers, anchors, &resolver.cache)?)
            }
        })
    }

    /// TCP ports of others that this needs.
    pub fn ports(resolver: &config::Resolver) -> Vec<u16> {
        match &resolver.upstream {
            config::Upstream::Recursive { .. } => vec![53],
            config::Upstream::Forward { servers, .. } => servers.iter().map(|server| server.address.port()).collect(),
        }
    }

    /// Asks, within [`limits::PER_QUESTION`].
    pub async fn find(&self, question: &Question) -> Result<Found, Failure> {
        let query = query(question).map_err(|_| Failure::Network)?;
        let wish = Wish { dnssec_ok: question.dnssec_ok(), checking_disabled: question.checking_disabled };
        let found = chase::follow(query, |query| self.ask(query, wish));
        tokio::time::timeout(limits::PER_QUESTION, found).await.map_err(|_| Failure::Unreachable)?
    }

    async fn ask(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        match self {
            Self::Recursion(recursion) => recursion.ask(query, wish).await,
            Self::Forwarders(forwarders) => forwarders.ask(query, wish).await,
        }
    }
}

fn query(question: &Question) -> Step<Query> {
    let key = Key::of(question);
    let name = Name::read(&mut BinDecoder::new(key.name())).or_stop("name")?;
    Ok(Query::query(name, RecordType::from(question.kind)))
}
