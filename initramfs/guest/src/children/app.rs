//! The operator's own program behind the gateway. It has nothing to say, and is ended when it has something to forget.

use super::keeper::{CleanExit, Keeper};
use super::kept::Kept;
use super::program;
use crate::stop::Step;
use std::time::Instant;
use vitrine_attest::config::Config;
use vitrine_attest::inside::AppStart;

pub struct App {
    start: AppStart,
    keeper: Keeper,
}

impl App {
    /// Due at once, when the configuration has one.
    pub fn new(config: &Config, now: Instant) -> Option<Self> {
        let app = config.app.clone()?;
        let keeper = Keeper::new(program::app(&app), CleanExit::Crash, now);
        Some(Self { start: AppStart { app }, keeper })
    }

    /// Ends it with all that is in its memory; the next one starts at once.
    pub fn forget(&mut self, now: Instant) {
        self.keeper.replace(now);
    }
}

impl Kept for App {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn keeper_mut(&mut self) -> &mut Keeper {
        &mut self.keeper
    }

    fn introduce(&mut self, now: Instant) {
        self.keeper.tell(&self.start, now);
    }

    /// Its channel can only end: whatever comes over it is the end, too.
    fn hear(&mut self) -> Step {
        match self.keeper.child() {
            Some(child) => child.channel.receive_nothing(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
