//! Clients: sockets, TLS, HTTP/1.1 and HTTP/2.

mod activity;
mod http1;
mod http2;
pub mod listen;
mod patient;
mod strict;

pub use activity::Activity;
pub use vitrine_child::tls::config;

use crate::forward::Service;
use crate::workers::Workers;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Takes connections for ever, and gives them to the threads.
pub async fn accept(listener: TcpListener, workers: Arc<Workers>, most: u32) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // out of descriptors, or the client has gone: not a reason to spin
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // one too many: closed at once
        if workers.connections() >= most as usize {
            continue;
        }
        if let Ok(stream) = stream.into_std() {
            workers.take(stream);
        }
    }
}

/// One connection until it ends.
pub async fn serve(stream: std::net::TcpStream, acceptor: &TlsAcceptor, service: Arc<Service>) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // pieces of a body go out as they come; a connection is of use without, too
    let _ = stream.set_nodelay(true);
    let handshake = timeout(service.limits.header.duration(), acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::serve(stream, service).await;
    } else {
        http1::serve(stream, service).await;
    }
}
