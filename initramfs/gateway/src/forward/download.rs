//! The body of an answer on its way to the client.

use super::upload::Ended;
use crate::account::Account;
use crate::exchange::Exchange;
use crate::patience::Patience;
use crate::upstream::Lease;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use vitrine_attest::inside::Outcome;

/// What a client gets.
#[derive(Debug)]
pub enum Answer {
    /// The gateway's own words.
    Fixed(Full<Bytes>),
    Passed(Box<Download>),
}

/// Passes on piece by piece, as the client takes them. It drives the connection to the upstream itself: when it is dropped, because
/// the client has gone, the connection closes at once. Trailers are dropped.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
    /// None when it has gone back.
    lease: Option<Lease>,
    patience: Patience,
    exchange: Arc<Exchange>,
    account: Account,
    broken: bool,
}

impl Download {
    pub fn new(body: Incoming, lease: Lease, patience: Patience, exchange: Arc<Exchange>, account: Account) -> Self {
        exchange.went_down(0);
        account.watch();
        Self { body, lease: Some(lease), patience, exchange, account, broken: false }
    }

    /// All of the body was taken: the connection can serve the next request.
    fn over(&mut self) {
        self.account.is_over();
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    /// The answer breaks off, for the client as well: the next time, so that hyper first sends him what it has.
    fn broke(&mut self, outcome: Outcome, context: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        self.lease = None;
        self.account.outcome = outcome;
        self.broken = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let ready @ Poll::Ready(_) = Pin::new(&mut self.body).poll_frame(context) {
            return ready;
        }
        // it asks its connection for more, which nobody else drives
        if let Some(lease) = &mut self.lease {
            lease.drive(context);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        if self.broken {
            return Poll::Ready(Some(Err(Ended)));
        }
        loop {
            match self.next(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.exchange.went_down(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(_))) => return self.broke(Outcome::UpstreamBroke, context),
                Poll::Ready(None) => {
                    self.over();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let until = self.exchange.until_down();
                    return match self.patience.poll(context, until) {
                        Poll::Ready(()) => self.broke(Outcome::Timeout, context),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // hyper does not ask again when it has as much as the header said
        if self.lease.is_some() && self.body.is_end_stream() {
            self.over();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        match self.get_mut() {
            // it cannot fail
            Self::Fixed(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Passed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Fixed(body) => body.is_end_stream(),
            Self::Passed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Fixed(body) => body.size_hint(),
            Self::Passed(body) => body.size_hint(),
        }
    }
}
