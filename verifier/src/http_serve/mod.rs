//! A small HTTP/1.1 server for the parts that a stranger asks: a log's files, a witness.
//!
//! Everything is bounded: connections (further ones wait in the kernel's queue, and idle ones go for them), the time for a request's head, for the whole
//! request and for its answer, the bytes of head and body, and the answers that are made at one time. Nothing is logged: not
//! addresses, not requests, not failures. No TLS: what is served here is signed; put a reverse proxy before it for the names.
//!
//! One thread reads and writes, so that a thousand slow clients cost no threads. Answers are made on a few others
//! (`spawn_blocking`): a handler may wait for the disk, and while one fsync takes a second everybody else is still read from.

mod pace;
#[cfg(test)]
mod tests;

use crate::runtime::one_thread;
use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue, ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use pace::{Pace, Paced, Phase};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{poll_fn, Future};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{watch, Notify, Semaphore};
use tokio::time::{sleep, sleep_until, timeout, timeout_at, Instant};
use vitrine_attest::{Error, Result};

/// Bytes of a request's line and headers.
const HEAD: usize = 16 << 10;
/// Answers that are made at one time; further ones wait.
const HANDLERS: usize = 16;
/// What a client may send too much before it is told so: one that is still sending would not read the answer.
const EXCESS: usize = 1 << 20;
/// To write an answer, and a second more for each so many bytes of it.
const WRITE: Duration = Duration::from_secs(10);
const WRITE_RATE: usize = 64 << 10;
/// At the end, for requests that are being answered.
const GRACE: Duration = Duration::from_secs(5);
/// After `accept` failed: no more file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// HEAD is answered like GET, without the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// As it was sent, percent signs and all; without the query.
    pub path: String,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: vec![], body: body.into() }
    }

    /// A line of text for people.
    pub fn text(status: u16, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }
}

/// Who answers. Called on several threads at once; may wait for the disk.
pub trait Handler: Send + Sync + 'static {
    /// Bytes of the largest body that is read; a larger one is answered with 413.
    fn body_limit(&self) -> usize;
    fn answer(&self, request: Request) -> Answer;
}

/// What one client, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    /// From the connection, or from a later request's first byte, to the end of the head.
    pub head: Duration,
    /// From the head to the beginning of the answer.
    pub request: Duration,
    /// Between two requests.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections: 256, head: seconds(10), request: seconds(30), idle: seconds(60) }
    }
}

/// The second is the address that was taken, when the port was left to the system (0).
///
/// # Errors
/// When it cannot be had.
pub fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let listening = || {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listening().map_err(|e: std::io::Error| {
        Error::host(format!("cannot listen on {address}: {e}"), "name another address with --listen")
    })
}

/// Serves until `until` is over, and then ends what is being answered.
///
/// # Errors
/// When it cannot begin.
pub fn serve(listener: TcpListener, handler: Arc<dyn Handler>, until: impl Future<Output = ()>) -> Result<()> {
    serve_within(Limits::default(), listener, handler, until)
}

/// The same with other limits.
///
/// # Errors
/// As there.
pub fn serve_within(
    limits: Limits,
    listener: TcpListener,
    handler: Arc<dyn Handler>,
    until: impl Future<Output = ()>,
) -> Result<()> {
    let failed = |e: std::io::Error| Error::host(format!("cannot serve: {e}"), "try again");
    let runtime = one_thread().max_blocking_threads(HANDLERS).build().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let tasks = tokio::task::LocalSet::new();
    let ended = tasks.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let handlers = Arc::new(Semaphore::new(HANDLERS));
        let served = Served { handler, limits, handlers, crowd: Notify::new(), crowded: Cell::new(false) };
        accept(listener, Rc::new(served), until).await;
        Ok(())
    });
    drop(tasks);
    runtime.shutdown_timeout(GRACE);
    ended.map_err(failed)
}

/// Over when the process gets SIGTERM or SIGINT. From this call on, not from the first wait, so that none is missed.
///
/// # Errors
/// When the system has no socket or no handler left.
pub fn signals() -> Result<impl Future<Output = ()>> {
    let failed = |e: std::io::Error| Error::host(format!("cannot wait for signals: {e}"), "try again");
    let (told, teller) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    told.set_nonblocking(true).map_err(failed)?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let teller = teller.try_clone().map_err(failed)?;
        signal_hook::low_level::pipe::register(signal, teller).map_err(failed)?;
    }
    Ok(async move {
        let Ok(told) = tokio::net::UnixStream::from_std(told) else { return };
        let _ = told.readable().await;
    })
}

struct Served {
    handler: Arc<dyn Handler>,
    limits: Limits,
    handlers: Arc<Semaphore>,
    /// Somebody waits for a place: told to connections that are idle, and true for those that become so.
    crowd: Notify,
    crowded: Cell<bool>,
}

async fn accept(listener: tokio::net::TcpListener, served: Rc<Served>, until: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(served.limits.connections));
    let (end, ending) = watch::channel(());
    let mut until = pin!(until);
    loop {
        let next = async {
            let stream = loop {
                match listener.accept().await {
                    Ok((stream, _)) => break stream,
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                }
            };
            served.crowded.set(places.available_permits() == 0);
            if served.crowded.get() {
                served.crowd.notify_waiters();
            }
            let place = places.clone().acquire_owned().await;
            served.crowded.set(false);
            (stream, place)
        };
        let (stream, place) = tokio::select! {
            biased;
            () = &mut until => break,
            next = next => next,
        };
        let (served, ending) = (served.clone(), ending.clone());
        tokio::task::spawn_local(async move {
            let _place = place;
            connection(stream, served, ending).await;
        });
    }
    drop((listener, end)); // tells them all
    let all = u32::try_from(served.limits.connections).unwrap_or(u32::MAX);
    let _ = timeout(GRACE, places.acquire_many(all)).await;
}

/// Serves one connection until it ends, or takes longer than it may, or all end.
async fn connection(stream: TcpStream, served: Rc<Served>, mut ending: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let pace = Rc::new(Pace::new(served.clone()));
    let service = {
        let (served, pace) = (served.clone(), pace.clone());
        service_fn(move |request| {
            let (served, pace) = (served.clone(), pace.clone());
            async move {
                pace.asked();
                let response = respond(&served, request).await;
                pace.answered(response.body().size_hint().lower());
                Ok::<_, Infallible>(response)
            }
        })
    };
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(HEAD);
    let io = TokioIo::new(Paced { stream, pace: pace.clone() });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut late = pin!(sleep_until(pace.deadline.get()));
    let mut going_on = true;
    loop {
        // the deadline moves, in both directions, only while the connection is polled
        let ended = poll_fn(|cx| {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if late.deadline() != pace.deadline.get() {
                late.as_mut().reset(pace.deadline.get());
            }
            late.as_mut().poll(cx)
        });
        tokio::select! {
            () = ended => return,
            () = served.crowd.notified() => if pace.phase.get() == Phase::Waiting { return },
            _ = ending.changed(), if going_on => {
                if matches!(pace.phase.get(), Phase::Waiting | Phase::Head) {
                    return;
                }
                going_on = false;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn respond(served: &Served, request: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
    let end = Instant::now() + served.limits.request;
    let answer = match timeout_at(end, read(served, request)).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(status)) => Err(status),
        // what has begun on another thread goes on there; nobody waits for it, and it keeps its place
        Ok(Ok(request)) => timeout_at(end, make(served, request)).await.unwrap_or(Err(StatusCode::SERVICE_UNAVAILABLE)),
    };
    answer.and_then(response).unwrap_or_else(status)
}

/// The request, its body whole.
async fn read(served: &Served, request: hyper::Request<Incoming>) -> std::result::Result<Request, StatusCode> {
    let method = match *request.method() {
        hyper::Method::GET | hyper::Method::HEAD => Method::Get,
        hyper::Method::POST => Method::Post,
        _ => return Err(StatusCode::METHOD_NOT_ALLOWED),
    };
    let path = request.uri().path().to_owned();
    let limit = served.handler.body_limit();
    let mut incoming = request.into_body();
    if incoming.size_hint().lower() > (limit + EXCESS) as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut body, mut read) = (vec![], 0);
    while let Some(frame) = http_body_util::BodyExt::frame(&mut incoming).await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue }; // trailers
        read += data.len();
        if read <= limit {
            body.extend_from_slice(&data);
        } else if read > limit + EXCESS {
            break;
        }
    }
    if read > limit {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(Request { method, path, body })
}

async fn make(served: &Served, request: Request) -> std::result::Result<Answer, StatusCode> {
    let place = served.handlers.clone().acquire_owned().await;
    let handler = served.handler.clone();
    let made = tokio::task::spawn_blocking(move || {
        let _place = place;
        handler.answer(request)
    });
    made.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR) // it panicked
}

fn response(answer: Answer) -> std::result::Result<Response<Full<Bytes>>, StatusCode> {
    let wrong = StatusCode::INTERNAL_SERVER_ERROR;
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| wrong)?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong)?;
        response.headers_mut().append(name, HeaderValue::try_from(value).map_err(|_| wrong)?);
    }
    Ok(response)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    response
}
