//! A stream that lets only strict HTTP/1.1 through to hyper: a head comes out when it is whole and [`crate::head`] has no objection,
//! a body as it is framed there. In place of a head that is refused comes a request of our own that says so, and then nothing.
//!
//! It keeps the times for reading, too: for the first byte of the next request, and for all of a head.

use super::Activity;
use crate::chunks::Chunks;
use crate::head::{self, Bad, Framing, Progress};
use crate::limits::{FAREWELL, FAREWELL_BYTES};
use crate::patience::Patience;
use crate::refusal::Refusal;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Bytes of a head that are read at a time.
const PIECE: usize = 4 << 10;

/// What the next byte belongs to.
#[derive(Debug)]
enum Place {
    /// Bytes of it that were looked at.
    Head(usize),
    /// Bytes to come.
    Body(u64),
    Chunked(Chunks),
    /// The stream is not read any more.
    Refused,
}

#[derive(Debug)]
pub struct Strict<S> {
    stream: S,
    place: Place,
    /// What has come and was not taken; the first `free` bytes may be.
    held: Vec<u8>,
    free: usize,
    taken: usize,
    /// When the head that is being read began: the first one with the connection.
    head_began: Option<Instant>,
    patience: Patience,
    activity: Arc<Activity>,
    header: Duration,
    idle: Duration,
    /// Since when the other side has our last byte, and how much it may still send.
    farewell: Option<(Instant, usize)>,
}

/// The reader gets this.
enum Next {
    /// Bytes are free to be taken.
    Free,
    /// More has to be read.
    Read,
}

impl<S: AsyncRead + Unpin> Strict<S> {
    pub fn new(stream: S, activity: Arc<Activity>, header: Duration, idle: Duration) -> Self {
        let (place, held, head_began, patience) =
            (Place::Head(0), Vec::new(), Some(Instant::now()), Patience::default());
        Self { stream, place, held, free: 0, taken: 0, head_began, patience, activity, header, idle, farewell: None }
    }

    /// Judges what is held and not yet free.
    fn judge(&mut self) -> io::Result<Next> {
        let new = &self.held[self.free..];
        match &mut self.place {
            Place::Refused => return Ok(Next::Read),
            _ if new.is_empty() => return Ok(Next::Read),
            Place::Head(seen) => match head::progress(new, *seen) {
                Progress::More => {
                    *seen = new.len();
                    self.head_began.get_or_insert_with(Instant::now);
                    return Ok(Next::Read);
                }
                Progress::Bad(bad) => self.refuse(bad.into()),
                Progress::Whole(length) => match head::check(&new[..length]) {
                    Ok(framing) => self.begin(length, framing),
                    Err(bad) => self.refuse(bad.into()),
                },
            },
            Place::Body(_) | Place::Chunked(_) => {
                let new = std::mem::take(&mut self.held);
                let length = self.follow(&new[self.free..]);
                self.held = new;
                self.free += length?;
            }
        }
        Ok(Next::Free)
    }

    /// A head may be taken; what follows is its body.
    fn begin(&mut self, length: usize, framing: Framing) {
        self.head_began = None;
        self.free += length;
        self.place = match framing {
            Framing::Length(0) => Place::Head(0),
            Framing::Length(length) => Place::Body(length),
            Framing::Chunked => Place::Chunked(Chunks::default()),
        };
    }

    /// Nothing that comes after this is looked at.
    fn refuse(&mut self, refusal: Refusal) {
        self.held.truncate(self.free);
        self.held.extend_from_slice(refusal.stand_in());
        self.free = self.held.len();
        self.place = Place::Refused;
    }

    /// Hands out what is free.
    fn take(&mut self, out: &mut ReadBuf<'_>) {
        let length = out.remaining().min(self.free - self.taken);
        out.put_slice(&self.held[self.taken..self.taken + length]);
        self.taken += length;
        if self.taken == self.free {
            self.held.drain(..self.free);
            (self.taken, self.free) = (0, 0);
            if self.held.is_empty() {
                // cleared when it is freed, not when the next request comes
                self.held = Vec::new();
            }
        }
    }

    /// Reads into what is held. True at the end of the stream.
    fn read_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let before = self.held.len();
        self.held.resize(before + PIECE, 0);
        let mut buffer = ReadBuf::new(&mut self.held[before..]);
        let result = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        self.held.truncate(before + length);
        match result {
            Poll::Ready(result) => Poll::Ready(result.map(|()| length == 0)),
            Poll::Pending => self.wait(context),
        }
    }

    /// A body goes to the reader without a stop here; what belongs to the next request stays.
    fn read_body(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let most = match &self.place {
            Place::Body(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        if most < out.remaining() {
            let mut part = ReadBuf::new(out.initialize_unfilled_to(most));
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
            let length = part.filled().len();
            out.advance(length);
        } else {
            ready!(Pin::new(&mut self.stream).poll_read(context, out))?;
        }
        let keep = self.follow(&out.filled()[before..])?;
        self.held.extend_from_slice(&out.filled()[before + keep..]);
        out.set_filled(before + keep);
        Poll::Ready(Ok(()))
    }

    /// How many bytes belong to the body that is being read; the place moves on.
    fn follow(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (length, over) = match &mut self.place {
            Place::Body(left) => {
                let step = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= step as u64;
                (step, *left == 0)
            }
            Place::Chunked(chunks) => {
                let end = chunks.feed(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                (end.unwrap_or(bytes.len()), end.is_some())
            }
            Place::Head(_) | Place::Refused => (0, false),
        };
        if over {
            self.place = Place::Head(0);
        }
        Ok(length)
    }

    /// For the rest of a head, or for the first byte of one; the next request need not come while one is being answered.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let due = self.head_began.map(|began| began + self.header).or_else(|| self.activity.idle_until(self.idle));
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                break;
            }
            // nobody is waited for yet: asked again later
            ready!(self.patience.poll(context, due.unwrap_or(now + self.idle)));
        }
        if self.held.len() == self.free {
            // nothing of it has come: an end like any other
            return Poll::Ready(Ok(true));
        }
        self.refuse(Refusal::TooSlow);
        Poll::Ready(Ok(false))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Strict<S> {
    /// Reads what still comes and throws it away, for a moment: were bytes left when the socket is closed, the kernel would tell the
    /// other side to forget what it has not read yet, our answer among it.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (since, mut left) = *self.farewell.get_or_insert_with(|| (Instant::now(), FAREWELL_BYTES));
        while left > 0 {
            let mut scratch = [0; PIECE];
            let mut scratch = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut scratch) {
                Poll::Ready(Ok(())) if !scratch.filled().is_empty() => {
                    left = left.saturating_sub(scratch.filled().len())
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    self.farewell = Some((since, left));
                    return self.patience.poll(context, since + FAREWELL);
                }
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.free > this.taken {
                this.take(out);
                return Poll::Ready(Ok(()));
            }
            if matches!(this.judge()?, Next::Free) {
                continue;
            }
            match this.place {
                // the end of the stream would look as if the client had left before he was answered
                Place::Refused => return Poll::Pending,
                Place::Body(_) | Place::Chunked(_) => return this.read_body(context, out),
                Place::Head(_) => {
                    if ready!(this.read_more(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        // at a place where nothing more is expected, nothing is thrown away
        if matches!(this.place, Place::Head(_)) {
            return Poll::Ready(Ok(()));
        }
        this.drain(context).map(Ok)
    }
}

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Malformed => Self::Malformed,
            Bad::TooLarge => Self::HeadTooLarge,
        }
    }
}
