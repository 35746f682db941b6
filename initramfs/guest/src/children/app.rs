//! The operator's own program behind the gateway. It has nothing to say, and is ended when it has something to forget.

use super::keeper::{CleanExit, Keeper};
use super::process::Child;
use super::program::{self, Program};
use super::Known;
use crate::stop::{Step, Stop};
use rustix::event::PollFd;
use rustix::process::{Pid, WaitStatus};
use std::time::Instant;
use vitrine_attest::config::Config;
use vitrine_attest::inside::AppStart;

pub struct App {
    start: AppStart,
    program: Program,
    keeper: Keeper,
}

impl App {
    /// Due at once, when the configuration has one.
    pub fn new(config: &Config, now: Instant) -> Option<Self> {
        let app = config.app.clone()?;
        let program = program::app(&app);
        Some(Self { start: AppStart { app }, program, keeper: Keeper::new(CleanExit::Crash, now) })
    }

    pub fn tick(&mut self, now: Instant) {
        if self.keeper.due(now) {
            self.keeper.started(Child::start(&self.program, None), now);
            if self.keeper.child().is_some_and(|child| child.channel.tell(&self.start, now).is_err()) {
                self.keeper.kill(now);
            }
        }
        self.keeper.tick(now);
    }

    /// Ends it with all that is in its memory; the next one starts at once.
    pub fn forget(&mut self, now: Instant) {
        self.keeper.replace(now);
    }

    /// For the watch.
    pub fn known(&self) -> Option<Known> {
        self.keeper.process().map(|pid| Known { pid, program: self.program })
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

    /// Its channel can only end: whatever comes over it is the end, too.
    pub fn receive(&mut self, now: Instant) {
        match self.try_receive() {
            Ok(()) => {}
            Err(Stop("child-gone")) => self.keeper.gone(now),
            Err(_) => self.keeper.kill(now),
        }
    }

    fn try_receive(&mut self) -> Step {
        match self.keeper.child() {
            Some(child) => child.channel.receive_nothing(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
