//! Recursion from the root down (RFC 1034 §5.3.3), with DNSSEC (RFC 4035) and strict QNAME minimisation (RFC 9156):
//! a zone's servers hear one label more than their own zone's name, and NXDOMAIN ends the walk (RFC 8020).

use super::once::wanted;
use super::outside::Outside;
use super::verdict::{self, Failure, Found, Validation};
use super::walk::Walk;
use super::{roots, Wish};
use crate::limits;
use crate::stop::{OrStop as _, Step};
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::xfer::{DnsHandle as _, FirstAnswer as _};
use hickory_net::NetError;
use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_resolver::config::ResolverOpts;
use hickory_resolver::recursor::{DnssecPolicy, QNameMinimization, Recursor, RecursorError, RecursorOptions};
use hickory_resolver::TtlConfig;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use vitrine_attest::config::Cache;

pub struct Recursion {
    validating: DnssecDnsHandle<Walk>,
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
        let times = times(cache);
        let validating = DnssecDnsHandle::with_trust_anchor(Walk(Arc::new(build()?)), anchors)
            .validation_cache_size(cache.entries.min(limits::KEYS) as usize)
            .positive_validation_ttl(times.positive_response_ttl_bounds(RecordType::RRSIG))
            .negative_validation_ttl(times.negative_response_ttl_bounds(RecordType::RRSIG));
        Ok(Self { validating, plain: build()? })
    }

    pub async fn ask(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        match wish.checking_disabled {
            false => wanted(query.clone(), self.checked(query)).await,
            true => wanted(query.clone(), self.unchecked(query, wish)).await,
        }
    }

    async fn checked(&self, query: Query) -> Result<Found, Failure> {
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        options.edns_set_dnssec_ok = true;
        match self.validating.lookup(query, options).first_answer().await {
            Ok(response) => verdict::of_message(response.into_message(), Validation::Done),
            Err(error) => verdict::of_error(error, Validation::Done),
        }
    }

    async fn unchecked(&self, query: Query, wish: Wish) -> Result<Found, Failure> {
        match self.plain.resolve(query, Instant::now(), wish.dnssec_ok).await {
            Ok(message) => verdict::of_message(message, Validation::Skipped),
            Err(RecursorError::Negative(none)) => {
                let code = if none.is_nx_domain() { ResponseCode::NXDomain } else { ResponseCode::NoError };
                let soa = none.soa.map(|soa| soa.into_record_of_rdata());
                let records = none.authorities.iter().flat_map(|all| all.iter()).cloned().chain(soa).collect();
                verdict::negative(code, records, Validation::Skipped)
            }
            Err(RecursorError::Net(error)) => verdict::of_error(error, Validation::Skipped),
            Err(error) if error.is_timeout() => verdict::of_error(NetError::Timeout, Validation::Skipped),
            Err(_) => Err(Failure::Network),
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
