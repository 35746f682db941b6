//! Plain HTTP/1.1 on a loopback address, passed on to a gateway while its server is accepted.
//!
//! Nothing is collected: pieces of bodies go on as they come, and no faster than the other end takes them. Nothing is sent twice:
//! what a gateway may have got a byte of is the client's to repeat. Nothing is logged, neither requests nor failures.
//!
//! Each connection of a client has a connection to the gateway of its own, made at its first request. It ends when the server is not
//! accepted any more, in the middle of a body too.

mod forward;
mod guard;
mod idle;
mod refusal;
mod standing;
#[cfg(test)]
mod tests;

pub use guard::Guard;
pub use refusal::Refusal;
pub use standing::{publisher, uptime, Publisher, Standing};

use crate::gateway::Address;
use forward::{Answer, Link};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use idle::Idle;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{watch, Mutex, Semaphore};
use tokio::time::{sleep, timeout};

/// Bytes of a request's line and headers (hyper takes up to a read more), and what is read of a body at a time.
const BUFFER: usize = 64 << 10;
/// After `accept` failed: no more file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Further ones wait in the kernel's queue.
    pub connections: usize,
    /// For a request's head, and between two requests.
    pub head: Duration,
    /// Without a byte in either direction while a request is answered. A gateway's own `limits.idle` is at most an hour.
    pub idle: Duration,
    /// At the end, for requests that are being answered.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections: 256, head: seconds(60), idle: seconds(3600), grace: seconds(5) }
    }
}

/// Everything that a connection needs to know.
#[derive(Debug)]
pub struct Proxy {
    pub gateway: Address,
    pub guard: Guard,
    pub standing: Standing,
    pub limits: Limits,
}

/// Serves until `until` is over, then ends what is being answered.
pub async fn serve(listener: TcpListener, proxy: Arc<Proxy>, until: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(proxy.limits.connections));
    let (end, ending) = watch::channel(());
    let mut until = pin!(until);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => break (stream, place),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        let (stream, place) = tokio::select! {
            biased;
            () = &mut until => break,
            next = next => next,
        };
        let (proxy, ending) = (proxy.clone(), ending.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(stream, proxy, ending).await;
        });
    }
    drop((listener, end)); // tells them all
    let all = u32::try_from(proxy.limits.connections).unwrap_or(u32::MAX);
    let _ = timeout(proxy.limits.grace, places.acquire_many(all)).await;
}

async fn connection(stream: TcpStream, proxy: Arc<Proxy>, mut ending: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let link = Arc::new(Mutex::new(Link::default()));
    let answering = proxy.clone();
    let service = service_fn(move |request| {
        let (proxy, link) = (answering.clone(), link.clone());
        async move { Ok::<_, Infallible>(respond(&proxy, request, &mut *link.lock().await).await) }
    });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(proxy.limits.head).max_buf_size(BUFFER);
    let (stream, still) = Idle::watch(stream, proxy.limits.idle);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut still = pin!(still);
    let mut going_on = true;
    loop {
        tokio::select! {
            _ = &mut connection => return,
            () = &mut still => return,
            _ = ending.changed(), if going_on => {
                going_on = false;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn respond(proxy: &Proxy, mut request: Request<Incoming>, link: &mut Link) -> Response<Answer> {
    let page = match proxy.guard.admit(&request) {
        Ok(page) => page,
        Err(refusal) => return refusal.answer(),
    };
    if let Some(answer) = page.as_ref().and_then(|page| guard::preflight(page, &request)) {
        return answer;
    }
    forward::clean(&mut request, &proxy.gateway);
    let answered = link.send(proxy, request).await;
    let mut answer = answered.unwrap_or_else(|refusal| refusal.answer());
    if let Some(page) = page {
        guard::let_read(page, answer.headers_mut());
    }
    answer
}
