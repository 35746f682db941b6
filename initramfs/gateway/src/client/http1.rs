//! HTTP/1.1 (RFC 9112).

use super::patient::Patient;
use super::strict::Strict;
use super::Activity;
use crate::forward::Service;
use crate::limits::{BUFFER, HEADERS};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Serves one connection until it ends, idles, or breaks a rule.
pub async fn serve(stream: TlsStream<TcpStream>, service: Arc<Service>) {
    let activity = Arc::new(Activity::new(false));
    let limits = &service.limits;
    let patient = Patient::new(stream, limits.idle.duration());
    let strict = Strict::new(patient, activity.clone(), limits.header.duration(), limits.idle.duration());
    let handler = service_fn(move |request| {
        let (service, activity) = (service.clone(), activity.clone());
        async move { Ok::<_, Infallible>(service.answer(request, &activity).await) }
    });
    let mut http = Builder::new();
    // `strict` keeps the times and has counted the headers; the date would tell how wrong the clock is
    http.header_read_timeout(None).max_buf_size(BUFFER).max_headers(HEADERS).auto_date_header(false);
    // an error is the end of the connection and nobody's business
    let _ = http.serve_connection(TokioIo::new(strict), handler).await;
}
