//! hickory's validation around whoever answers: a recursion or a forwarder.

use super::recursive::times;
use super::verdict::{self, Failure, Found, Validation};
use crate::limits;
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::op::{DnsRequestOptions, Query};
use hickory_proto::rr::RecordType;
use std::sync::Arc;
use vitrine_attest::config::Cache;

pub struct Validating<H>(DnssecDnsHandle<H>);

impl<H: DnsHandle> Validating<H> {
    pub fn new(handle: H, anchors: Arc<TrustAnchors>, cache: &Cache) -> Self {
        let times = times(cache);
        let handle = DnssecDnsHandle::with_trust_anchor(handle, anchors)
            .validation_cache_size(cache.entries.min(limits::KEYS) as usize)
            .positive_validation_ttl(times.positive_response_ttl_bounds(RecordType::RRSIG))
            .negative_validation_ttl(times.negative_response_ttl_bounds(RecordType::RRSIG));
        Self(handle)
    }

    pub async fn ask(&self, query: Query) -> Result<Found, Failure> {
        match self.0.lookup(query, with_signatures()).first_answer().await {
            Ok(response) => verdict::of_message(response.into_message(), Validation::Done),
            Err(error) => verdict::of_error(error, Validation::Done),
        }
    }
}

/// EDNS with DO.
pub fn with_signatures() -> DnsRequestOptions {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = true;
    options
}
