//! How a forwarder is spoken to: hickory's pool for DoT and DoH, our own client for DNSCrypt. What is built on it, and
//! first of all the validation, does not see a difference.

use super::dnscrypt::DnsCrypt;
use futures_util::stream::{BoxStream, StreamExt as _};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_net::NetError;
use hickory_proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::NameServerPool;

pub type Pool = NameServerPool<TokioRuntimeProvider>;

#[derive(Clone)]
pub enum Line {
    Tls(Pool),
    DnsCrypt(DnsCrypt),
}

impl DnsHandle for Line {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        match self {
            Self::Tls(pool) => pool.send(request).boxed(),
            Self::DnsCrypt(client) => client.send(request),
        }
    }
}
