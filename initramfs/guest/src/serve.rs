//! What PID 1 does for the rest of its life: one loop, no threads, nothing that waits but `poll`.

use crate::children::{Children, Ordered};
use crate::fuse::Fuse;
use crate::janitor::Janitor;
use crate::metrics::{Metrics, Own};
use crate::orders::Orders;
use crate::outside::Outside;
use crate::rotation::Rotation;
use crate::stop::{OrStop as _, Step};
use crate::tunnels::Tunnels;
use crate::watch::{Expected, Watch};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use vitrine_attest::inside::ToAgent;
use vitrine_attest::watch::Rule;

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
    pub watch: Watch,
    pub fuse: Fuse,
    /// What the watch has found. The tunnel is gone then, and the watch is over.
    pub violation: Option<Rule>,
    #[cfg(feature = "probe")]
    pub killer: crate::probe::Killer,
    #[cfg(feature = "probe")]
    pub cost: crate::probe::Cost,
    #[cfg(feature = "saboteur")]
    pub saboteur: crate::saboteur::Saboteur,
}

/// Who wants something.
struct Woken {
    outside: bool,
    watch: bool,
}

impl Server {
    /// Never returns but by an error of `poll` itself, or when the fuse could not be blown: the machine ends then.
    pub fn run(mut self) -> Step<Infallible> {
        loop {
            self.tick(Instant::now())?;
            vitrine_wiping::stack();
            let woken = self.sleep()?;
            self.receive(&woken, Instant::now());
            vitrine_wiping::stack();
        }
    }

    /// In a frame of its own, as [`Self::tick`]: inlined into [`Self::run`], whose frame lives as long as the machine,
    /// what they leave on the stack would stay; a key of a removed user did.
    #[inline(never)]
    fn receive(&mut self, woken: &Woken, now: Instant) {
        let (orders, tunnels) = (&mut self.orders, &self.tunnels);
        let over = self.violation.is_some();
        self.children.receive(now, |sealed| {
            let answer = match over {
                false => orders.take(sealed, tunnels),
                true => ToAgent::Refused("violation".into()),
            };
            Ordered { answer, attached: orders.attached() }
        });
        if woken.outside {
            self.outside.receive();
        }
        if woken.watch {
            self.watch.alarm(now);
        }
    }

    #[inline(never)]
    fn tick(&mut self, now: Instant) -> Step {
        let stranger = self.children.reap(now);
        self.children.tick(now);
        self.look(now, stranger)?;
        self.outside.tick();
        if self.violation.is_none() {
            if let Some(keys) = self.rotation.tick(now, &mut self.tunnels, &self.orders.peers) {
                self.children.rotated(keys, now);
            }
        }
        self.janitor.tick(now, &self.tunnels, &self.orders.peers, &self.outside);
        self.tell(now);
        #[cfg(feature = "probe")]
        self.killer.tick(now, &self.children);
        #[cfg(feature = "saboteur")]
        self.saboteur.tick(now, self.orders.peers.each().count(), self.violation.is_some());
        Ok(())
    }

    /// Whether all is as it should be, when it is time to look. `stranger`: a process that nobody knew has ended.
    fn look(&mut self, now: Instant, stranger: bool) -> Step {
        if self.violation.is_some() || (!stranger && now < self.watch.wake()) {
            return Ok(());
        }
        let expected = Expected { children: &self.children.known(), tunnels: self.tunnels.live().len() };
        #[cfg(feature = "probe")]
        let found = self.cost.of(|| self.watch.tick(now, &expected));
        #[cfg(not(feature = "probe"))]
        let found = self.watch.tick(now, &expected);
        match found.or(stranger.then_some(Rule::Processes)) {
            None => Ok(()),
            Some(rule) => self.blow(rule, now),
        }
    }

    /// Tunnel, resolver, gateway and metrics first, then the TPM, then the agent, whose evidence says why. Not to be undone.
    fn blow(&mut self, rule: Rule, now: Instant) -> Step {
        self.violation = Some(rule);
        self.tunnels.close()?;
        self.children.withdraw(now);
        self.metrics = None;
        self.fuse.blow(rule)?;
        self.children.agent.violation(rule, now);
        Ok(())
    }

    /// The new page of metrics, when it is time for one.
    fn tell(&mut self, now: Instant) {
        let (tunnels, children) = (&self.tunnels, &self.children);
        // A kernel that does not answer is a server without sessions: the floor hides the difference
        let own = || Own {
            sessions: tunnels.sessions().unwrap_or(0),
            blocked: children.blocked(),
            requests: children.requests().to_vec(),
        };
        let text = self.metrics.as_mut().and_then(|metrics| metrics.tick(now, own));
        if let (Some(page), Some(text)) = (&mut self.children.page, text) {
            page.replace(text, now);
        }
    }

    /// Sleeps until a descriptor or a deadline wants something.
    fn sleep(&self) -> Step<Woken> {
        let (now, clean) = (Instant::now(), self.violation.is_none());
        let deadlines = [
            self.children.wake(),
            self.outside.wake(),
            self.rotation.wake().filter(|_| clean),
            clean.then(|| self.watch.wake()),
            self.janitor.wake(),
            self.metrics.as_ref().and_then(Metrics::wake),
            #[cfg(feature = "probe")]
            self.killer.wake(now),
            #[cfg(feature = "saboteur")]
            self.saboteur.wake(now),
            Some(now + NAP),
        ];
        let wake = deadlines.into_iter().flatten().min().unwrap_or(now);
        let timeout = Timespec::try_from(wake.saturating_duration_since(now)).or_stop("poll")?;
        // Four children with a channel and a process each, the outside, and three for the watch
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(12);
        fds.extend(self.outside.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let outside = fds.len();
        if clean {
            self.watch.watch(&mut fds);
        }
        let watch = fds.len();
        self.children.watch(&mut fds);
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None.or_stop("poll"),
        }
        let woken = |fds: &[PollFd<'_>]| fds.iter().any(|fd| !fd.revents().is_empty());
        Ok(Woken { outside: woken(&fds[..outside]), watch: woken(&fds[outside..watch]) })
    }
}
