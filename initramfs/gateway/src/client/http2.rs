//! HTTP/2 (RFC 9113). Its frames have one reading only; what is refused of it is in h2 and in [`crate::rules`].

use super::patient::Patient;
use super::Activity;
use crate::forward::Service;
use crate::limits;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{poll_fn, Future};
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::Poll;
use tokio::net::TcpStream;
use tokio::time::{timeout, Instant};
use tokio_rustls::server::TlsStream;

fn builder() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits::STREAMS)
        .initial_stream_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW)
        .max_frame_size(limits::FRAME)
        .max_send_buf_size(limits::SEND)
        .max_header_list_size(limits::HEAD as u32)
        .max_pending_accept_reset_streams(limits::RESETS)
        .max_local_error_reset_streams(limits::RESETS);
    http
}

/// Serves one connection until it ends, idles, stalls, or gives up more than it takes.
pub async fn serve(stream: TlsStream<TcpStream>, service: Arc<Service>) {
    let activity = Arc::new(Activity::new(true));
    let watched = activity.clone();
    let idle = service.limits.idle.duration();
    let handler = service_fn(move |request| {
        let (service, activity) = (service.clone(), activity.clone());
        async move { Ok::<_, Infallible>(service.answer(request, &activity).await) }
    });
    let patient = Patient::new(stream, idle);
    let mut connection = pin!(builder().serve_connection(TokioIo::new(patient), handler));
    while watched.idle_until(idle).is_none_or(|until| until >= Instant::now()) {
        if ends(connection.as_mut(), &watched).await || watched.is_stalled() {
            return;
        }
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(limits::FAREWELL, connection).await;
}

/// Drives the connection for a moment; true when it is over, or ought to be.
async fn ends(mut connection: Pin<&mut impl Future>, activity: &Activity) -> bool {
    let mut abused = pin!(activity.abused.notified());
    let end = poll_fn(|context| match abused.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => connection.as_mut().poll(context).map(|_| ()),
    });
    timeout(limits::TICK, end).await.is_ok()
}
