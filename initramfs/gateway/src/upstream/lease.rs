//! One connection to an upstream, HTTP/1.1, with at most one request on it.
//!
//! It has no task of its own: whoever waits for the answer drives it. So a request that is dropped ends its connection at once, and
//! the answer comes without a detour through another task.

use super::wire::Wire;
use super::Upstream;
use crate::exchange::Exchange;
use crate::forward::Upload;
use crate::limits::BUFFER;
use crate::patience::Patience;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::{poll_fn, Future as _};
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub struct Lease {
    sender: SendRequest<Upload>,
    connection: Connection<TokioIo<Wire>, Upload>,
    /// The connection has ended.
    ended: bool,
    upstream: Arc<Upstream>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// Why there is no answer.
pub enum Failure {
    /// Not a byte was written.
    Unsent(Box<Request<Upload>>),
    Broken,
    /// Time is over.
    Silent,
}

impl Lease {
    pub async fn new(wire: Wire, upstream: Arc<Upstream>) -> Option<Self> {
        let mut builder = Builder::new();
        // headers: 100, which is hyper's own limit and needs no memory of its own
        builder.max_buf_size(BUFFER);
        let (sender, connection) = builder.handshake(TokioIo::new(wire)).await.ok()?;
        Some(Self { sender, connection, ended: false, upstream })
    }

    /// Sends and waits for the header of the answer.
    pub async fn ask(
        &mut self,
        request: Request<Upload>,
        exchange: &Exchange,
        patience: &mut Patience,
    ) -> Result<Response<Incoming>, Failure> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|context| {
            drive(&mut self.connection, &mut self.ended, context);
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
            patience.poll(context, exchange.until_answer()).map(|()| None)
        });
        match answered.await {
            None => Err(Failure::Silent),
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => {
                Err(error.take_message().map_or(Failure::Broken, |request| Failure::Unsent(Box::new(request))))
            }
        }
    }

    /// Lets the connection read and write.
    pub fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, &mut self.ended, context);
    }

    /// Whether it can take a request now: open, nothing left of the last answer, nothing that nobody asked for.
    pub fn is_ready(&mut self) -> bool {
        // nobody waits; whoever takes it registers himself
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.ended && self.sender.is_ready()
    }

    /// The answer was read to its end.
    pub fn give_back(mut self) {
        if self.is_ready() {
            let upstream = self.upstream.clone();
            upstream.keep(self);
        }
    }
}

fn drive(connection: &mut Connection<TokioIo<Wire>, Upload>, ended: &mut bool, context: &mut Context<'_>) {
    if !*ended {
        *ended = Pin::new(connection).poll(context).is_ready();
    }
}
