//! Threads that serve, each with an event loop and connections of its own: what a request needs is on one thread, and is not passed
//! from one to another. A connection goes to the thread that has the fewest.

use crate::client;
use crate::forward::Service;
use crate::limits::CLEARING;
use crate::stop::{OrStop as _, Step};
use std::cell::Cell;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;

/// An event loop for the calling thread, which clears its stack when it has nothing to do.
///
/// # Errors
/// `runtime`.
pub fn event_loop() -> Step<Runtime> {
    Builder::new_current_thread().enable_all().on_thread_park(rest).build().or_stop("runtime")
}

/// What requests left on this thread's stack goes. Not at each pause between two packets: [`keep_clearing`] makes sure that there is
/// another one soon.
fn rest() {
    thread_local!(static LAST: Cell<Option<Instant>> = const { Cell::new(None) });
    let now = Instant::now();
    if LAST.get().is_none_or(|last| now.duration_since(last) >= CLEARING / 2) {
        vitrine_wiping::stack();
        LAST.set(Some(now));
    }
}

/// Lets the thread rest at least this often.
async fn keep_clearing() {
    let mut tick = interval(CLEARING);
    loop {
        tick.tick().await;
    }
}

#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    /// No more wait there than there may be connections.
    inbox: UnboundedSender<(TcpStream, Held)>,
    connections: Arc<AtomicUsize>,
}

/// A connection's place on its thread.
#[derive(Debug)]
struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// A thread for each service.
    ///
    /// # Errors
    /// `thread`, `runtime`.
    pub fn start(services: &[Arc<Service>], acceptor: &TlsAcceptor) -> Step<Self> {
        let start = |service: &Arc<Service>| {
            let (inbox, connections) = unbounded_channel();
            let (runtime, serving) = (event_loop()?, serve(connections, service.clone(), acceptor.clone()));
            std::thread::Builder::new().spawn(move || runtime.block_on(serving)).or_stop("thread")?;
            Ok(Worker { inbox, connections: Arc::default() })
        };
        services.iter().map(start).collect::<Step<_>>().map(Self)
    }

    /// Gives a connection away.
    pub fn take(&self, stream: TcpStream) {
        let free = self.0.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let Some(worker) = free else { return };
        worker.connections.fetch_add(1, Ordering::Relaxed);
        // a thread that is gone takes nothing: the connection is closed
        let _ = worker.inbox.send((stream, Held(worker.connections.clone())));
    }

    /// On all threads.
    pub fn connections(&self) -> usize {
        self.0.iter().map(|worker| worker.connections.load(Ordering::Relaxed)).sum()
    }
}

async fn serve(mut connections: UnboundedReceiver<(TcpStream, Held)>, service: Arc<Service>, acceptor: TlsAcceptor) {
    tokio::spawn(keep_clearing());
    while let Some((stream, held)) = connections.recv().await {
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tokio::spawn(async move {
            client::serve(stream, &acceptor, service).await;
            drop(held);
        });
    }
}
