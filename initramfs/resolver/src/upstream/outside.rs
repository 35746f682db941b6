//! Connections to authorities: our own over UDP, hickory's over TCP with our own times; in tests, another port.

use super::datagram::Datagrams;
use super::minimal::Minimal;
use super::once::Once;
use crate::limits;
use futures_util::stream::{BoxStream, StreamExt as _};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::xfer::{DnsExchange, DnsHandle};
use hickory_net::NetError;
use hickory_proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use hickory_resolver::{ConnectionProvider, PoolContext};
use std::future::{ready, Future};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

/// hickory waits 5 s for each authority, as long as a question lives: one silent server of two would make every
/// question fail.
#[derive(Clone)]
pub struct Outside {
    runtime: TokioRuntimeProvider,
    port: u16,
}

impl Outside {
    pub fn new(port: u16) -> Self {
        Self { runtime: TokioRuntimeProvider::new(), port }
    }
}

type Exchange = Minimal<Once<Link>>;

/// Either transport.
#[derive(Clone)]
pub enum Link {
    Udp(Datagrams),
    Tcp(DnsExchange<TokioRuntimeProvider>),
}

impl DnsHandle for Link {
    type Response = BoxStream<'static, Result<DnsResponse, NetError>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        match self {
            Self::Udp(server) => server.send(request),
            Self::Tcp(exchange) => exchange.send(request).boxed(),
        }
    }
}

impl ConnectionProvider for Outside {
    type Conn = Exchange;
    type FutureConn = Pin<Box<dyn Future<Output = Result<Exchange, NetError>> + Send + 'static>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        let server = SocketAddr::new(ip, self.port);
        let conn = move |link| Minimal(Once::new(link, server));
        match config.protocol {
            ProtocolConfig::Udp => Ok(Box::pin(ready(Ok(conn(Link::Udp(Datagrams(server))))))),
            ProtocolConfig::Tcp => {
                let most = Some(cx.options.max_active_requests);
                let exchange = TcpClientStream::exchange(server, None, limits::AUTHORITY, most, self.runtime.clone());
                Ok(Box::pin(async move { Ok(conn(Link::Tcp(exchange.await?))) }))
            }
            // authorities are asked in the clear: RFC 9539 is switched off
            _ => Err(NetError::NoConnections),
        }
    }

    fn runtime_provider(&self) -> &Self::RuntimeProvider {
        &self.runtime
    }
}
