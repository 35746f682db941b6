//! Until when a connection may stay where it stands.

use super::{Served, WRITE, WRITE_RATE};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{ready, Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// For a request's first byte.
    Waiting,
    /// Its head comes in.
    Head,
    Busy,
    /// The answer is made; the client has to take it.
    Answered,
}

/// Where a connection stands, and until when it may stay there.
pub(super) struct Pace {
    served: Rc<Served>,
    pub(super) phase: Cell<Phase>,
    pub(super) deadline: Cell<Instant>,
}

impl Pace {
    pub(super) fn new(served: Rc<Served>) -> Self {
        let end = Instant::now() + served.limits.head;
        Self { served, phase: Cell::new(Phase::Head), deadline: Cell::new(end) }
    }

    pub(super) fn enter(&self, phase: Phase, time: Duration) {
        self.phase.set(phase);
        self.deadline.set(Instant::now() + time);
    }

    pub(super) fn received(&self) {
        if self.phase.get() == Phase::Waiting {
            self.enter(Phase::Head, self.served.limits.head);
        }
    }

    pub(super) fn asked(&self) {
        self.enter(Phase::Busy, self.served.limits.request + WRITE);
    }

    pub(super) fn answered(&self, bytes: u64) {
        self.enter(Phase::Answered, WRITE + Duration::from_secs(bytes / WRITE_RATE as u64));
    }

    pub(super) fn written(&self) {
        if self.phase.get() == Phase::Answered {
            let crowded = self.served.crowded.get();
            self.enter(Phase::Waiting, if crowded { Duration::ZERO } else { self.served.limits.idle });
        }
    }
}

/// A connection that tells its pace what comes and goes.
pub(super) struct Paced {
    pub(super) stream: TcpStream,
    pub(super) pace: Rc<Pace>,
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pace.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.pace.written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
