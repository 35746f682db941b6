//! The gateway: it answers requests, and says in classes how many.

use super::keeper::{CleanExit, Keeper};
use super::kept::Kept;
use super::process::Child;
use super::program;
use crate::stop::{OrStop as _, Step};
use std::collections::BTreeSet;
use std::time::Instant;
use vitrine_attest::config::Config;
use vitrine_attest::inside::{Count, FromGateway, GatewayStart, TlsKey, MOST_COUNTS};

pub struct Gateway {
    start: GatewayStart,
    keeper: Keeper,
    /// Of the gateway that runs, since its start.
    counts: Vec<Count>,
    /// It has said so, and nobody has heard it yet.
    quiet: bool,
}

impl Gateway {
    /// Due at once, when the configuration has a gateway.
    pub fn new(config: &Config, tls_key: TlsKey, now: Instant) -> Option<Self> {
        let gateway = config.gateway.clone()?;
        let keeper = Keeper::new(program::gateway(&gateway), CleanExit::Crash, now);
        let addresses = config.wireguard.addresses.iter().map(|network| network.address).collect();
        let quiet_after = config.app.as_ref().map(|app| app.forget_after);
        let start = GatewayStart { gateway, addresses, tls_key, quiet_after };
        Some(Self { start, keeper, counts: vec![], quiet: false })
    }

    /// Requests since the start of the gateway that runs; one that is started again begins anew.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// Once for each time that there were requests and are none any more.
    pub fn became_quiet(&mut self) -> bool {
        std::mem::take(&mut self.quiet)
    }
}

impl Kept for Gateway {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn keeper_mut(&mut self) -> &mut Keeper {
        &mut self.keeper
    }

    fn launch(&mut self) -> Step<Child> {
        self.counts.clear();
        self.keeper.launch(None)
    }

    fn introduce(&mut self, now: Instant) {
        self.keeper.tell(&self.start, now);
    }

    fn hear(&mut self) -> Step {
        let Some(child) = self.keeper.child() else {
            return Ok(());
        };
        child.channel.receive()?;
        while let Some(message) = child.channel.message()? {
            match message {
                FromGateway::Counts(counts) => {
                    let names = &self.start.gateway.upstreams;
                    let known = |count: &Count| count.upstream.is_empty() || names.contains_key(&count.upstream);
                    are_sound(&counts, known).then_some(()).or_stop("child-line")?;
                    self.counts = counts;
                }
                FromGateway::Quiet(quiet) => self.quiet |= quiet,
            }
        }
        Ok(())
    }
}

/// Classes that there are, each once: nothing else can pass through the numbers.
fn are_sound(counts: &[Count], known: impl Fn(&Count) -> bool) -> bool {
    let classes: BTreeSet<_> = counts.iter().map(|count| (&count.upstream, count.class)).collect();
    counts.len() <= MOST_COUNTS
        && classes.len() == counts.len()
        && counts.iter().all(|count| count.class.is_one() && known(count))
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
