//! DNS over HTTPS (RFC 8484): `/dns-query`, GET and POST, HTTP/2 and HTTP/1.1.

use crate::limits;
use crate::service::Service;
use crate::Transport;
use base64::prelude::{Engine as _, BASE64_URL_SAFE_NO_PAD};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, CACHE_CONTROL, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::time::{timeout_at, Instant};
use tokio_rustls::server::TlsStream;

const PATH: &str = "/dns-query";
const TYPE: HeaderValue = HeaderValue::from_static("application/dns-message");
/// Bytes of all headers of a request, the question of a GET among them.
const HEADERS: u32 = 16 << 10;

/// Runs hyper's tasks on this thread.
#[derive(Clone)]
struct Here;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// What a connection does at the moment.
#[derive(Default)]
struct Activity {
    open: Cell<usize>,
    last: Cell<Option<Instant>>,
}

/// Serves one connection until it ends or idles.
pub async fn serve(stream: TlsStream<TcpStream>, service: Rc<Service>) {
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let activity = Rc::new(Activity::default());
    let watched = activity.clone();
    let handler = service_fn(move |request| {
        let (service, activity) = (service.clone(), watched.clone());
        async move {
            activity.open.set(activity.open.get() + 1);
            let response = respond(&service, request).await;
            activity.open.set(activity.open.get() - 1);
            activity.last.set(Some(Instant::now()));
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(stream);
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(Here);
        builder.timer(TokioTimer::new()).max_header_list_size(HEADERS);
        builder.max_concurrent_streams(limits::PER_CONNECTION as u32);
        until_idle(builder.serve_connection(io, handler), &activity).await;
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits::IDLE).max_buf_size(HEADERS as usize);
        until_idle(builder.serve_connection(io, handler), &activity).await;
    }
}

/// Drops a connection on which nothing has happened for [`limits::IDLE`].
async fn until_idle(connection: impl Future, activity: &Activity) {
    tokio::pin!(connection);
    let begin = Instant::now();
    loop {
        let busy = activity.open.get() > 0;
        let since = activity.last.get().unwrap_or(begin);
        let end = if busy { Instant::now() } else { since } + limits::IDLE;
        if end <= Instant::now() {
            return;
        }
        if timeout_at(end, &mut connection).await.is_ok() {
            return;
        }
    }
}

async fn respond(service: &Rc<Service>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let question = match question(request).await {
        Ok(question) => question,
        Err(code) => return status(code),
    };
    match service.answer(&question, Transport::Encrypted).await {
        Some(answer) => {
            let mut response = Response::new(Full::new(Bytes::from(answer)));
            response.headers_mut().insert(CONTENT_TYPE, TYPE);
            // RFC 8484 §5.1 allows HTTP caches to keep answers; names shall not lie in one
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        None => status(StatusCode::BAD_REQUEST),
    }
}

fn status(code: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = code;
    response
}

/// The DNS message in a request.
async fn question(request: Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
    if request.uri().path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    match *request.method() {
        Method::GET => {
            let query = request.uri().query().unwrap_or_default();
            let text = query.split('&').find_map(|field| field.strip_prefix("dns="));
            let text = text.filter(|text| text.len() <= limits::QUESTION / 3 * 4 + 3).ok_or(StatusCode::BAD_REQUEST)?;
            BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| StatusCode::BAD_REQUEST)
        }
        Method::POST => {
            if request.headers().get(CONTENT_TYPE) != Some(&TYPE) {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            let body = Limited::new(request.into_body(), limits::QUESTION).collect();
            let body = tokio::time::timeout(limits::HANDSHAKE, body).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
            Ok(body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes().into())
        }
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}
