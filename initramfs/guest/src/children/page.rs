//! The metrics program: it gets a page and serves it. It is asked nothing and says nothing.

use super::keeper::{CleanExit, Keeper};
use super::kept::Kept;
use super::program::METRICS;
use crate::stop::{Step, Stop};
use serde::de::IgnoredAny;
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
        let keeper = Keeper::new(METRICS, CleanExit::Crash, now);
        (config.metrics.level != Level::L0).then_some(Self { port, text, keeper })
    }

    /// The page from now on.
    pub fn replace(&mut self, text: String, now: Instant) {
        self.text = text;
        self.tell_text(now);
    }

    fn tell_text(&mut self, now: Instant) {
        self.keeper.tell(&ToMetrics::Text(self.text.clone()), now);
    }
}

impl Kept for Page {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn keeper_mut(&mut self) -> &mut Keeper {
        &mut self.keeper
    }

    fn introduce(&mut self, now: Instant) {
        self.keeper.tell(&ToMetrics::Port(self.port), now);
        self.tell_text(now);
    }

    /// Whatever it says is wrong; what is expected is the end of its output.
    fn hear(&mut self) -> Step {
        let Some(child) = self.keeper.child() else {
            return Ok(());
        };
        child.channel.receive()?;
        match child.channel.message()? {
            None => Ok(()),
            Some(IgnoredAny) => Err(Stop("child-line")),
        }
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
