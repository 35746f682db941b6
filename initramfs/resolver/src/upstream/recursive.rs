//! Recursion from the root down (RFC 1034 §5.3.3), with DNSSEC (RFC 4035) and strict QNAME minimisation (RFC 9156):
//! a zone's servers hear one label more than their own zone's name, and NXDOMAIN ends the walk (RFC 8020).

use super::once::wanted;
use super::outside::Outside;
use super::validating::Validating;
use super::verdict::{self, Failure, Found, Validation};
use super::walk::{self, Walk};
use super::{roots, Wish};
use crate::limits;
use crate::stop::{OrStop as _, Step};
use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::op::Query;
use hickory_resolver::config::ResolverOpts;
use hickory_resolver::recursor::{DnssecPolicy, QNameMinimization, Recursor, RecursorOptions};
use hickory_resolver::TtlConfig;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use vitrine_attest::config::Cache;

pub struct Recursion {
    validating: Validating<Walk>,
    /// For questions with CD. Its caches are its own: what was not validated is never given to somebody else.
    plain: Recursor<Outside>,
}

impl Recursion {
    /// # Errors
    /// `recursor`: hickory refuses the parts.
    pub fn new(roots: &[IpAddr], anchors: Arc<TrustAnchors>, cache: &Cache, port: u16) -> Step<Self> {
        let build = || {
            let addresses = if roots.is_empty() { roots::iana() } else { roots.to_vec() };
            // the recursor asks for signatures and looks at none: that is done around it
            let policy = DnssecPolicy::ValidationDisabled;
            Recursor::new(&addresses, policy, None, options(roots, cache), Outside::new(port)).or_stop("recursor")
        };
        let validating = Validating::new(Walk(Arc::new(build()?)), anchors, cache);
        Ok(Self { validating, plain: build()? })
    }

    pub async fn ask(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        match wish.checking_disabled {
            false => wanted(query.clone(), self.validating.ask(query)).await,
            true => wanted(query.clone(), self.unchecked(query, wish)).await,
        }
    }

    async fn unchecked(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        match self.plain.resolve(query, Instant::now(), wish.dnssec_ok).await {
            Ok(message) => verdict::of_message(message, Validation::Skipped),
            Err(error) => verdict::of_error(walk::error(error), Validation::Skipped),
        }
    }
}

fn options(roots: &[IpAddr], cache: &Cache) -> RecursorOptions {
    let mut options = RecursorOptions {
        ns_cache_size: cache.entries.clamp(1, limits::ZONES) as usize,
        response_cache_size: cache.entries.min(limits::KEYS).into(),
        cache_policy: times(cache),
        qname_minimization: QNameMinimization::Strict,
        ..RecursorOptions::default()
    };
    // hickory does not ask servers with private addresses, so that nobody's zone can point at the operator's own
    // network. A root that the configuration names there says that this network is the world
    options.deny_server.retain(|network| !roots.iter().any(|root| network.contains(root)));
    options
}

/// Nothing is kept longer than the configuration says.
pub fn times(cache: &Cache) -> TtlConfig {
    let mut options = ResolverOpts::default();
    options.positive_max_ttl = Some(cache.ttl.duration());
    options.negative_max_ttl = Some(cache.ttl.duration());
    TtlConfig::from_opts(&options)
}
