//! One connection to a gateway.

use super::address::Address;
use super::pin::Tls;
use hyper::body::Body;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;
use vitrine_attest::Error;

/// For TCP, and again for the TLS handshake. A gateway gives its clients as long by default.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an answer's head at most, and what is read of a body at a time.
const BUFFER: usize = 64 << 10;

/// Requests go into the first; the second has to be polled, and ends with the connection.
pub type Connected<B> = (SendRequest<B>, Connection<TokioIo<TlsStream<TcpStream>>, B>);

/// Nothing of a request was sent.
#[derive(Debug)]
pub enum Failure {
    /// Somebody answers who does not have the attested key.
    Key(&'static str),
    Unreachable(String),
}

impl Failure {
    pub fn error(self, address: &Address) -> Error {
        let place = address.shown();
        match self {
            Self::Key(what) => Error::artefact(
                format!("{place} {what}; nothing was sent to it"),
                "run it again: a server that was started in between has a new key. If it stays, do not use this address",
            ),
            Self::Unreachable(why) => Error::host(
                format!("{place} cannot be reached over TLS 1.3: {why}"),
                "check the address, and that the gateway may be called from here",
            ),
        }
    }
}

/// The key is shown, and shown to be held, before this is over.
///
/// # Errors
/// When there is no connection, or not with the holder of the key.
pub async fn connect<B>(address: &Address, tls: &Tls) -> Result<Connected<B>, Failure>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let late = |_| Failure::Unreachable(format!("no answer within {} s", CONNECT.as_secs()));
    let unreachable = |e: std::io::Error| Failure::Unreachable(e.to_string());
    let stream = timeout(CONNECT, TcpStream::connect(address.place())).await.map_err(late)?.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let handshake = TlsConnector::from(tls.clone()).connect(address.name(), stream);
    let stream = timeout(CONNECT, handshake).await.map_err(late)?.map_err(|e| of_tls(&e))?;
    let connected = Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
    connected.map_err(|e| Failure::Unreachable(e.to_string()))
}

fn of_tls(error: &std::io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            Failure::Key("shows another TLS key than the one that the server's TPM has vouched for")
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::BadEncoding)) => {
            Failure::Key("shows a certificate that cannot be read")
        }
        Some(rustls::Error::InvalidCertificate(_)) => Failure::Key("shows the attested TLS key and does not hold it"),
        _ => Failure::Unreachable(error.to_string()),
    }
}
