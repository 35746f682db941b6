//! The programs that PID 1 starts: the agent, the resolver, the gateway and what is behind it, the page of metrics.
//!
//! Each has a user, a root and limits of its own ([`program`]), is started again when it dies ([`keeper`], [`kept`]), and can
//! say one kind of line ([`agent`], [`resolver`], [`gateway`], [`page`]; [`app`] none). None of them can hold up PID 1 or another one.

mod agent;
mod app;
mod channel;
mod gateway;
mod keeper;
mod kept;
mod line;
mod page;
mod process;
pub mod program;
mod resolver;
mod roots;

pub use agent::{Agent, Ordered};
pub use app::App;
pub use gateway::Gateway;
pub use page::Page;
pub use resolver::Resolver;
pub use roots::{hand_over_tpm, prepare_roots};

use kept::Kept;
use rustix::event::PollFd;
use rustix::process::{waitpid, Pid, WaitOptions};
use std::time::Instant;
use vitrine_attest::inside::Count;
use vitrine_attest::rotation::RotatedKey;

/// A child that is there: started and not reaped, so its number belongs to nobody else.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub pid: Pid,
    pub program: program::Program,
}

impl Known {
    pub fn is(&self, pid: u32) -> bool {
        u32::try_from(self.pid.as_raw_nonzero().get()) == Ok(pid)
    }
}

/// All children of one server.
pub struct Children {
    pub agent: Agent,
    /// When the configuration has one.
    pub resolver: Option<Resolver>,
    /// When the configuration has one.
    pub gateway: Option<Gateway>,
    /// When the configuration has one.
    pub app: Option<App>,
    /// From level L1 on.
    pub page: Option<Page>,
}

impl Children {
    /// All but the agent.
    fn kept(&self) -> impl Iterator<Item = &dyn Kept> {
        fn of<K: Kept>(child: &Option<K>) -> Option<&dyn Kept> {
            child.as_ref().map(|child| child as &dyn Kept)
        }
        [of(&self.resolver), of(&self.gateway), of(&self.app), of(&self.page)].into_iter().flatten()
    }

    /// All but the agent, to do something with them.
    fn kept_mut(&mut self) -> impl Iterator<Item = &mut dyn Kept> {
        fn of<K: Kept>(child: &mut Option<K>) -> Option<&mut dyn Kept> {
            child.as_mut().map(|child| child as &mut dyn Kept)
        }
        [of(&mut self.resolver), of(&mut self.gateway), of(&mut self.app), of(&mut self.page)].into_iter().flatten()
    }

    /// Starts what is due, ends what hangs.
    pub fn tick(&mut self, now: Instant) {
        self.agent.tick(now);
        self.kept_mut().for_each(|child| child.tick(now));
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        let others = self.kept().map(|child| child.keeper().wake());
        others.chain([self.agent.wake()]).flatten().min()
    }

    /// Adds everything to be polled. After the poll, [`Self::receive`] and [`Self::reap`] see what happened.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.agent.watch(fds);
        self.kept().for_each(|child| child.keeper().watch(fds));
    }

    /// Takes in what they sent, without waiting; the agent's orders go through `order`.
    pub fn receive(&mut self, now: Instant, order: impl FnMut(&[u8]) -> Ordered) {
        self.agent.receive(now, order);
        self.kept_mut().for_each(|child| child.receive(now));
        if let (Some(gateway), Some(app)) = (&mut self.gateway, &mut self.app) {
            if gateway.became_quiet() {
                app.forget(now);
            }
        }
    }

    /// Everyone who is there, for the watch.
    pub fn known(&self) -> Vec<Known> {
        let others = self.kept().map(|child| child.keeper().known());
        others.chain([self.agent.known()]).flatten().collect()
    }

    /// The agent alone stays: evidence can be had, and nothing else.
    pub fn withdraw(&mut self, now: Instant) {
        self.kept_mut().for_each(|child| child.keeper_mut().kill(now));
        (self.resolver, self.gateway, self.app, self.page) = (None, None, None, None);
    }

    /// Takes the exit states of all that have died; PID 1 inherits every orphan as well. Whether one of them was none of
    /// ours.
    pub fn reap(&mut self, now: Instant) -> bool {
        let mut stranger = false;
        while let Ok(Some((pid, status))) = waitpid(None, WaitOptions::NOHANG) {
            stranger |= !self.known().iter().any(|known| known.pid == pid);
            self.agent.reaped(pid, status, now);
            for child in self.kept_mut() {
                child.keeper_mut().reaped(pid, status, now);
            }
        }
        stranger
    }

    /// Name and number of each child that is up, for the probe; those that its image has come first.
    #[cfg(feature = "probe")]
    pub fn up(&self) -> [(&'static str, Option<Pid>); 5] {
        fn up<K: Kept>(child: &Option<K>) -> Option<Pid> {
            child.as_ref().and_then(|child| child.keeper().pid())
        }
        [
            ("agent", self.agent.serving()),
            ("resolver", up(&self.resolver)),
            ("metrics", up(&self.page)),
            ("gateway", up(&self.gateway)),
            ("app", up(&self.app)),
        ]
    }

    /// The agent puts these keys into its evidence from now on.
    pub fn rotated(&mut self, keys: Vec<RotatedKey>, now: Instant) {
        self.agent.rotated(keys, now);
    }

    /// Requests since the gateway's start, in classes.
    pub fn requests(&self) -> &[Count] {
        self.gateway.as_ref().map_or(&[], Gateway::counts)
    }

    /// Names that all resolvers of this boot have refused because of the blocklist.
    pub fn blocked(&self) -> u64 {
        self.resolver.as_ref().map_or(0, Resolver::blocked)
    }
}
