//! The body of a request on its way to the upstream.

use crate::exchange::Exchange;
use crate::patience::Patience;
use crate::refusal::Refusal;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Passes on piece by piece, as the upstream takes them; there is never more than one piece here. Trailers are dropped.
#[derive(Debug)]
pub struct Upload {
    body: Incoming,
    /// Bytes that may still come.
    left: u64,
    exchange: Arc<Exchange>,
    patience: Patience,
}

/// The body ends here, and so does the request to the upstream; why, stands in the exchange.
#[derive(Debug)]
pub struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ended")
    }
}

impl Error for Ended {}

impl Upload {
    pub fn new(body: Incoming, most: u64, exchange: Arc<Exchange>) -> Self {
        Self { body, left: most, exchange, patience: Patience::default() }
    }

    fn end(&self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        self.exchange.blame(refusal);
        Poll::Ready(Some(Err(Ended)))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.exchange.came_up(data.len());
                    let Some(left) = self.left.checked_sub(data.len() as u64) else {
                        return self.end(Refusal::BodyTooLarge);
                    };
                    self.left = left;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(error))) => {
                    return self.end(if malformed(&error) { Refusal::Malformed } else { Refusal::Left })
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let until = self.exchange.until_up();
                    return match self.patience.poll(context, until) {
                        Poll::Ready(()) => self.end(Refusal::TooSlow),
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

/// The reader of chunks has found a wrong chunk.
fn malformed(error: &hyper::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}
