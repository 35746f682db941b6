//! hickory's recursion, as something that its validation can ask.
//!
//! Its own validating recursor does the same, and on the way it keeps every answer a second time, copies every record
//! and writes every message to wire form: none of that is used here.

use super::outside::Outside;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_net::NetError;
use hickory_proto::op::{DnsRequest, DnsResponse, Message, OpCode, Query};
use hickory_resolver::recursor::{Recursor, RecursorError};
use std::sync::Arc;
use std::time::Instant;

#[derive(Clone)]
pub struct Walk(pub Arc<Recursor<Outside>>);

impl DnsHandle for Walk {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let recursor = self.0.clone();
        let query = request.queries.first().cloned();
        stream::once(async move { walk(&recursor, query.ok_or(NetError::NoConnections)?).await }).boxed()
    }
}

/// From the root down, with signatures.
async fn walk(recursor: &Recursor<Outside>, query: Query) -> Result<DnsResponse, NetError> {
    let found = recursor.resolve(query, Instant::now(), true).await.map_err(error)?;
    // the proofs are in the records: validation looks at nothing else, a code of 0 among it
    let mut response = DnsResponse::from_message(Message::response(0, OpCode::Query))?;
    response.answers = found.answers;
    response.authorities = found.authorities;
    response.additionals = found.additionals;
    Ok(response)
}

/// As every other handle would say it.
pub fn error(error: RecursorError) -> NetError {
    match error {
        RecursorError::Net(error) => error,
        other => other.into(),
    }
}
