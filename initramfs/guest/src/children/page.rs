//! The metrics program: it gets a page and serves it. It is asked nothing and says nothing.

use super::keeper::{CleanExit, Keeper};
use super::process::Child;
use super::program::METRICS;
use super::Known;
use crate::stop::{Step, Stop};
use rustix::event::PollFd;
use rustix::process::{Pid, WaitStatus};
use std::time::Instant;
use vitrine_attest::config::{Config, Level};
use vitrine_attest::inside::ToMetrics;

pub struct Page {
    port: u16,
    /// The page of the last tick; a program that is started again gets the same.
    text: String,
    keeper: Keeper,
}

impl Page {
    /// Due at once, unless the configuration tells nothing.
    pub fn new(config: &Config, text: String, now: Instant) -> Option<Self> {
        let port = config.metrics.port;
        (config.metrics.level != Level::L0).then(|| Self { port, text, keeper: Keeper::new(CleanExit::Crash, now) })
    }

    /// The page from now on.
    pub fn replace(&mut self, text: String, now: Instant) {
        self.text = text;
        let message = ToMetrics::Text(self.text.clone());
        if self.keeper.child().is_some_and(|child| child.channel.tell(&message, now).is_err()) {
            self.keeper.kill(now);
        }
    }

    pub fn tick(&mut self, now: Instant) {
        if self.keeper.due(now) {
            self.keeper.started(Child::start(&METRICS, None), now);
            if self.first_words(now).is_err() {
                self.keeper.kill(now);
            }
        }
        self.keeper.tick(now);
    }

    fn first_words(&mut self, now: Instant) -> Step {
        let Some(child) = self.keeper.child() else { return Ok(()) };
        child.channel.tell(&ToMetrics::Port(self.port), now)?;
        child.channel.tell(&ToMetrics::Text(self.text.clone()), now)
    }

    /// For the watch.
    pub fn known(&self) -> Option<Known> {
        self.keeper.process().map(|pid| Known { pid, program: METRICS })
    }

    /// For good.
    pub fn end(mut self, now: Instant) {
        self.keeper.kill(now);
    }

    #[cfg(feature = "probe")]
    pub fn up(&self) -> Option<Pid> {
        self.keeper.pid()
    }

    pub fn wake(&self) -> Option<Instant> {
        self.keeper.wake()
    }

    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.keeper.watch(fds);
    }

    pub fn reaped(&mut self, pid: Pid, status: WaitStatus, now: Instant) {
        self.keeper.reaped(pid, status, now);
    }

    /// Whatever it says is wrong; what is expected is the end of its output.
    pub fn receive(&mut self, now: Instant) {
        let Some(child) = self.keeper.child() else {
            return;
        };
        let said = child.channel.receive().and_then(|()| child.channel.message::<serde::de::IgnoredAny>());
        match said {
            Ok(None) => {}
            Err(Stop("child-gone")) => self.keeper.gone(now),
            Ok(Some(_)) | Err(_) => self.keeper.kill(now),
        }
    }
}
