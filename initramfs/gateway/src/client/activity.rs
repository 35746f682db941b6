//! What one client's connection does at the moment.

use crate::exchange::Exchange;
use crate::limits::GIVEN_UP;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Debug)]
pub struct Activity {
    began: Instant,
    /// Requests that are being answered.
    open: AtomicU64,
    /// Milliseconds after `began`: the end of the last one.
    last: AtomicU64,
    over: AtomicU64,
    given_up: AtomicU64,
    /// HTTP/2 only: answers whose client has to take them. There each has a window of its own.
    streams: Option<Mutex<Vec<Weak<Exchange>>>>,
    /// The client gives up more than it takes.
    pub abused: Notify,
}

impl Activity {
    /// `streams`: several requests at a time.
    pub fn new(streams: bool) -> Self {
        let zero = || AtomicU64::new(0);
        let (open, last, over, given_up) = (zero(), zero(), zero(), zero());
        let streams = streams.then(Mutex::default);
        Self { began: Instant::now(), open, last, over, given_up, streams, abused: Notify::new() }
    }

    /// A request begins.
    pub fn enter(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is over.
    pub fn leave(&self, given_up: bool) {
        self.last.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let counter = if given_up { &self.given_up } else { &self.over };
        counter.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_sub(1, Ordering::Relaxed);
        if given_up && self.given_up.load(Ordering::Relaxed) > GIVEN_UP + self.over.load(Ordering::Relaxed) {
            self.abused.notify_one();
        }
    }

    /// When the connection has waited for long enough for a next request; none while one is being answered.
    pub fn idle_until(&self, idle: Duration) -> Option<Instant> {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        (self.open.load(Ordering::Relaxed) == 0).then(|| self.began + last + idle)
    }

    pub fn watch(&self, exchange: &Arc<Exchange>) {
        if let Some(streams) = &self.streams {
            streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(exchange));
        }
    }

    /// An answer of which the client has taken nothing for too long. Whoever waits for his window is not asked by hyper, so that the
    /// answer itself cannot tell.
    pub fn is_stalled(&self) -> bool {
        let Some(streams) = &self.streams else { return false };
        let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        let now = Instant::now();
        streams.iter().filter_map(Weak::upgrade).any(|stream| stream.until_taken() < now)
    }
}
