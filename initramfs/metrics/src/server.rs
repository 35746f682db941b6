//! The loop: init's line, the listener, and a bounded number of clients, in one thread.

use crate::connection::Connection;
use crate::init::Init;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::convert::Infallible;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Clients at a time; the others wait in the kernel's backlog.
const CONNECTIONS: usize = 32;
/// After an `accept` that failed for want of memory or descriptors.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Server {
    listener: TcpListener,
    init: Init,
    connections: Vec<Connection>,
    page: Option<String>,
    /// Nobody is let in before.
    pause: Option<Instant>,
}

impl Server {
    pub fn new(listener: TcpListener, init: Init) -> Option<Self> {
        listener.set_nonblocking(true).ok()?;
        Some(Self { listener, init, connections: Vec::with_capacity(CONNECTIONS), page: None, pause: None })
    }

    /// Returns None when init is gone.
    pub fn run(mut self) -> Option<Infallible> {
        loop {
            self.sleep()?;
            if let Some(page) = self.init.page()? {
                self.page = Some(page);
            }
            let now = Instant::now();
            self.accept(now);
            let page = self.page.as_deref();
            self.connections.retain_mut(|connection| connection.advance(page, now));
        }
    }

    fn accept(&mut self, now: Instant) {
        if self.pause.is_some_and(|until| now < until) {
            return;
        }
        self.pause = None;
        while self.connections.len() < CONNECTIONS {
            // Who it is, is not asked: the kernel would write the address onto our kernel stack, and there it stays
            match rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC) {
                Ok(stream) => self.connections.extend(Connection::new(stream.into(), now)),
                // Also when a client has gone before it was let in
                Err(Errno::WOULDBLOCK) => return,
                Err(_) => {
                    self.pause = Some(now + PAUSE);
                    return;
                }
            }
        }
    }

    fn sleep(&self) -> Option<()> {
        let now = Instant::now();
        let deadlines = self.connections.iter().map(Connection::deadline).chain(self.pause);
        let left = deadlines.min().map(|time| time.saturating_duration_since(now));
        let timeout = left.map(Timespec::try_from).transpose().ok()?;
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(CONNECTIONS + 2);
        fds.push(self.init.watch());
        if self.connections.len() < CONNECTIONS && self.pause.is_none() {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        fds.extend(self.connections.iter().map(Connection::watch));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Some(()),
            Err(_) => None,
        }
    }
}
