//! The other side of TLS in tests of the resolver and the gateway: a client that compares a key, and a CA for servers behind them.
#![forbid(unsafe_code)]

mod ca;
mod pinned;

pub use ca::ca;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client that offers one protocol (ALPN), and believes a certificate with this public key, or any when there is none to compare.
///
/// # Panics
/// Never: ring has a provider for all safe versions.
pub fn client_config(protocol: &[u8], point: Option<&[u8]>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let verifier = pinned::Pinned(point.map(<[u8]>::to_vec));
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// A TLS connection after its handshake; a read waits no longer than `patience`.
///
/// # Panics
/// When there is none, or the server chose another protocol: the test fails.
pub fn connect(address: SocketAddr, protocol: &[u8], point: Option<&[u8]>, patience: Duration) -> Stream {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp.set_read_timeout(Some(patience)).unwrap();
    let name = ServerName::IpAddress(address.ip().into());
    let mut stream = StreamOwned::new(ClientConnection::new(client_config(protocol, point), name).unwrap(), tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    assert_eq!(stream.conn.alpn_protocol(), Some(protocol));
    stream
}
