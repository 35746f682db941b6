//! An HTTP/2 client.

use super::Running;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{handshake, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::future::Future;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Runs on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A TLS connection that has agreed on a protocol.
pub async fn stream(gateway: &Running, protocol: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let tcp = TcpStream::connect(gateway.address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::IpAddress(gateway.address.ip().into());
    let connector = TlsConnector::from(vitrine_tls_peer::client_config(protocol, Some(&gateway.point)));
    connector.connect(name, tcp).await.unwrap()
}

pub async fn connect<B>(gateway: &Running) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let stream = TokioIo::new(stream(gateway, b"h2").await);
    let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn request(method: &str, path: &str, body: &'static [u8]) -> Request<Full<Bytes>> {
    let uri = format!("https://x{path}");
    Request::builder().method(method).uri(uri).body(Full::new(Bytes::from_static(body))).unwrap()
}

/// Status, headers and body as text.
pub async fn whole(response: Response<Incoming>) -> (u16, hyper::HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned())
}
