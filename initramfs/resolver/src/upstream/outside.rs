//! Connections to authorities: hickory's, with our own times and, in tests, another port.

use super::minimal::Minimal;
use super::once::Once;
use crate::limits;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::DnsExchange;
use hickory_net::NetError;
use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use hickory_resolver::{ConnectionProvider, PoolContext};
use std::future::Future;
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

type Exchange = Minimal<Once<DnsExchange<TokioRuntimeProvider>>>;

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
        let runtime = self.runtime.clone();
        match config.protocol {
            ProtocolConfig::Udp => Ok(Box::pin(async move {
                let exchange = UdpClientStream::builder(server, runtime).with_timeout(Some(limits::AUTHORITY)).exchange();
                Ok(Minimal(Once::new(exchange, server)))
            })),
            ProtocolConfig::Tcp => {
                let most = Some(cx.options.max_active_requests);
                let exchange = TcpClientStream::exchange(server, None, limits::AUTHORITY, most, runtime);
                Ok(Box::pin(async move { exchange.await.map(|exchange| Minimal(Once::new(exchange, server))) }))
            }
            // authorities are asked in the clear: RFC 9539 is switched off
            _ => Err(NetError::NoConnections),
        }
    }

    fn runtime_provider(&self) -> &Self::RuntimeProvider {
        &self.runtime
    }
}
