//! What PID 1 does for the rest of its life: one loop, no threads, nothing that waits but `poll`.

use crate::children::Children;
use crate::janitor::Janitor;
use crate::metrics::{Metrics, Own};
use crate::orders::Orders;
use crate::outside::Outside;
use crate::rotation::Rotation;
use crate::stop::{OrStop as _, Step};
use crate::tunnels::Tunnels;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// Longest sleep. Everything has its own time to wake; this is for what nobody thought of.
const NAP: Duration = Duration::from_secs(30);

/// A running server. Its parts do not know of each other; what one has for another passes through here.
pub struct Server {
    pub children: Children,
    pub outside: Outside,
    pub orders: Orders,
    pub tunnels: Tunnels,
    pub rotation: Rotation,
    pub janitor: Janitor,
    /// None at level L0.
    pub metrics: Option<Metrics>,
    #[cfg(feature = "probe")]
    pub killer: crate::probe::Killer,
}

impl Server {
    /// Never returns but by an error of `poll` itself.
    pub fn run(mut self) -> Step<Infallible> {
        loop {
            self.tick(Instant::now());
            let outside = self.sleep()?;
            let (orders, tunnels, now) = (&mut self.orders, &self.tunnels, Instant::now());
            self.children.receive(now, |sealed| orders.take(sealed, tunnels));
            if outside {
                self.outside.receive();
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        self.children.reap(now);
        self.children.tick(now);
        self.outside.tick();
        if let Some(keys) = self.rotation.tick(now, &mut self.tunnels, &self.orders.peers) {
            self.children.rotated(keys, now);
        }
        self.janitor.tick(now, &self.tunnels, &self.orders.peers, &self.outside);
        self.tell(now);
        #[cfg(feature = "probe")]
        self.killer.tick(now, &self.children);
    }

    /// The new page of metrics, when it is time for one.
    fn tell(&mut self, now: Instant) {
        let (tunnels, blocked) = (&self.tunnels, self.children.blocked());
        // A kernel that does not answer is a server without sessions: the floor hides the difference
        let own = || Own { sessions: tunnels.sessions().unwrap_or(0), blocked };
        let text = self.metrics.as_mut().and_then(|metrics| metrics.tick(now, own));
        if let (Some(page), Some(text)) = (&mut self.children.page, text) {
            page.replace(text, now);
        }
    }

    /// Sleeps until a descriptor or a deadline wants something. Whether it was the outside's.
    fn sleep(&self) -> Step<bool> {
        let now = Instant::now();
        let deadlines = [
            self.children.wake(),
            self.outside.wake(),
            self.rotation.wake(),
            self.janitor.wake(),
            self.metrics.as_ref().and_then(Metrics::wake),
            #[cfg(feature = "probe")]
            self.killer.wake(now),
            Some(now + NAP),
        ];
        let wake = deadlines.into_iter().flatten().min().unwrap_or(now);
        let timeout = Timespec::try_from(wake.saturating_duration_since(now)).or_stop("poll")?;
        // Three children with a channel and a process each, and the outside
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(7);
        fds.extend(self.outside.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let outside = fds.len();
        self.children.watch(&mut fds);
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None.or_stop("poll"),
        }
        Ok(fds[..outside].iter().any(|fd| !fd.revents().is_empty()))
    }
}
