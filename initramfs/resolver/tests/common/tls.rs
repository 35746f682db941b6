//! The client's side of TLS, a test CA, and DoT in front of a server that has none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use vitrine_tls_peer::Stream;

/// Any certificate will do.
pub fn connect(address: SocketAddr, protocol: &[u8]) -> Stream {
    vitrine_tls_peer::connect(address, protocol, None, Duration::from_secs(8))
}

/// The certificate that a server shows, DER.
pub fn certificate(address: SocketAddr, protocol: &[u8]) -> Vec<u8> {
    connect(address, protocol).conn.peer_certificates().unwrap()[0].to_vec()
}

/// A CA, and a server's configuration with a certificate from it.
pub fn ca(name: &str) -> (Vec<u8>, Arc<rustls::ServerConfig>) {
    vitrine_tls_peer::ca(name, (2020, 2100))
}

/// Takes TLS off and passes on to a plain TCP server, for ever: DoT is DNS over TCP inside of TLS (RFC 7858 §3.3).
pub fn relay(listen: SocketAddr, to: SocketAddr, config: Arc<rustls::ServerConfig>) {
    let (ready, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
            ready.send(()).unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(config);
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut inner) = acceptor.accept(stream).await else { return };
                    let mut outer = tokio::net::TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                });
            }
        });
    });
    wait.recv().unwrap();
}
