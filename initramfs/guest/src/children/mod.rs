//! The programs that PID 1 starts: the agent, the resolver, the gateway and what is behind it, the page of metrics.
//!
//! Each has a user, a root and limits of its own ([`program`]), is started again when it dies ([`keeper`]), and can
//! say one kind of line ([`agent`], [`resolver`], [`gateway`], [`page`]; [`app`] none). None of them can hold up PID 1 or another one.

mod agent;
mod app;
mod channel;
mod gateway;
mod keeper;
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
    /// Starts what is due, ends what hangs.
    pub fn tick(&mut self, now: Instant) {
        self.agent.tick(now);
        if let Some(resolver) = &mut self.resolver {
            resolver.tick(now);
        }
        if let Some(gateway) = &mut self.gateway {
            gateway.tick(now);
        }
        if let Some(app) = &mut self.app {
            app.tick(now);
        }
        if let Some(page) = &mut self.page {
            page.tick(now);
        }
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        let others = [
            self.resolver.as_ref().and_then(Resolver::wake),
            self.gateway.as_ref().and_then(Gateway::wake),
            self.app.as_ref().and_then(App::wake),
            self.page.as_ref().and_then(Page::wake),
        ];
        others.into_iter().chain([self.agent.wake()]).flatten().min()
    }

    /// Adds everything to be polled. After the poll, [`Self::receive`] and [`Self::reap`] see what happened.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.agent.watch(fds);
        if let Some(resolver) = &self.resolver {
            resolver.watch(fds);
        }
        if let Some(gateway) = &self.gateway {
            gateway.watch(fds);
        }
        if let Some(app) = &self.app {
            app.watch(fds);
        }
        if let Some(page) = &self.page {
            page.watch(fds);
        }
    }

    /// Takes in what they sent, without waiting; the agent's orders go through `order`.
    pub fn receive(&mut self, now: Instant, order: impl FnMut(&[u8]) -> Ordered) {
        self.agent.receive(now, order);
        if let Some(resolver) = &mut self.resolver {
            resolver.receive(now);
        }
        if let Some(gateway) = &mut self.gateway {
            gateway.receive(now);
        }
        if let Some(app) = &mut self.app {
            app.receive(now);
            if self.gateway.as_mut().is_some_and(Gateway::became_quiet) {
                app.forget(now);
            }
        }
        if let Some(page) = &mut self.page {
            page.receive(now);
        }
    }

    /// Everyone who is there, for the watch.
    pub fn known(&self) -> Vec<Known> {
        let others = [
            self.resolver.as_ref().and_then(Resolver::known),
            self.gateway.as_ref().and_then(Gateway::known),
            self.app.as_ref().and_then(App::known),
            self.page.as_ref().and_then(Page::known),
        ];
        others.into_iter().chain([self.agent.known()]).flatten().collect()
    }

    /// The agent alone stays: evidence can be had, and nothing else.
    pub fn withdraw(&mut self, now: Instant) {
        if let Some(resolver) = self.resolver.take() {
            resolver.end(now);
        }
        if let Some(gateway) = self.gateway.take() {
            gateway.end(now);
        }
        if let Some(app) = self.app.take() {
            app.end(now);
        }
        if let Some(page) = self.page.take() {
            page.end(now);
        }
    }

    /// Takes the exit states of all that have died; PID 1 inherits every orphan as well. Whether one of them was none of
    /// ours.
    pub fn reap(&mut self, now: Instant) -> bool {
        let mut stranger = false;
        while let Ok(Some((pid, status))) = waitpid(None, WaitOptions::NOHANG) {
            stranger |= !self.known().iter().any(|known| known.pid == pid);
            self.agent.reaped(pid, status, now);
            if let Some(resolver) = &mut self.resolver {
                resolver.reaped(pid, status, now);
            }
            if let Some(gateway) = &mut self.gateway {
                gateway.reaped(pid, status, now);
            }
            if let Some(app) = &mut self.app {
                app.reaped(pid, status, now);
            }
            if let Some(page) = &mut self.page {
                page.reaped(pid, status, now);
            }
        }
        stranger
    }

    /// Name and number of each child that is up, for the probe; those that its image has come first.
    #[cfg(feature = "probe")]
    pub fn up(&self) -> [(&'static str, Option<rustix::process::Pid>); 5] {
        [
            ("agent", self.agent.serving()),
            ("resolver", self.resolver.as_ref().and_then(Resolver::up)),
            ("metrics", self.page.as_ref().and_then(Page::up)),
            ("gateway", self.gateway.as_ref().and_then(Gateway::up)),
            ("app", self.app.as_ref().and_then(App::up)),
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
