//! A forwarder's keys and delegations: without a memory for them, validation would ask for the whole chain again at
//! every question.

use futures_util::stream::{self, BoxStream, StreamExt as _};
use hickory_net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_net::{DnsError, NetError};
use hickory_proto::op::{DnsRequest, DnsResponse, Query};
use hickory_proto::rr::RecordType;
use hickory_resolver::ResponseCache;
use std::time::Instant;

#[derive(Clone)]
pub struct Remember<H> {
    handle: H,
    cache: ResponseCache,
}

impl<H> Remember<H> {
    pub fn new(handle: H, cache: ResponseCache) -> Self {
        Self { handle, cache }
    }

    fn known(&self, query: &Query) -> Option<Result<DnsResponse, NetError>> {
        Some(match self.cache.get(query, Instant::now())? {
            Ok(message) => DnsResponse::from_message(message).map_err(NetError::from),
            Err(error) => Err(error),
        })
    }
}

impl<H: DnsHandle> DnsHandle for Remember<H> {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = H::Runtime;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let query = request.queries.first().filter(|query| is_chain(query.query_type())).cloned();
        if let Some(known) = query.as_ref().and_then(|query| self.known(query)) {
            return stream::once(async move { known }).boxed();
        }
        let (handle, cache) = (self.handle.clone(), self.cache.clone());
        let ask = async move {
            let response = handle.send(request).first_answer().await.and_then(error_of);
            if let Some(query) = query {
                cache.insert(query, response.clone().map(DnsResponse::into_message), Instant::now());
            }
            response
        };
        stream::once(ask).boxed()
    }
}

fn is_chain(kind: RecordType) -> bool {
    matches!(kind, RecordType::DNSKEY | RecordType::DS)
}

/// Negative messages become errors, as hickory's caches and validation have them.
fn error_of(response: DnsResponse) -> Result<DnsResponse, NetError> {
    DnsError::from_response(response).map_err(NetError::from)
}
