//! Waiting with an end.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use tokio::time::{sleep_until, Instant, Sleep};

/// A timer whose deadline moves with every piece that comes. It is set only when there is something to wait for, and moved only
/// when it has run out too early: most requests never set it twice.
#[derive(Debug, Default)]
pub struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// Ready when the deadline has passed.
    pub fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
