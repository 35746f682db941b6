//! What is over is forgotten: sessions, connections, memory they were in, receive buffers. See `docs/janitor.md`.

mod connections;
mod errors;
mod pages;
mod processors;
mod slabs;
mod sockets;
mod stacks;
mod threads;
mod turnover;
mod watch;

use crate::conntrack::Conntrack;
use crate::outside::Outside;
use crate::peers::Peers;
use crate::stop::Step;
use crate::tunnels::{Number, Tunnels};
use slabs::Slabs;
#[cfg(feature = "probe")]
pub use stacks::Done;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use turnover::Turnover;
use vitrine_attest::config::{Config, MOST_PORTS};
use vitrine_attest::digest::Key32;
use watch::Watch;

/// Peers of one interface that are renewed at a time; each costs the kernel a grace period and a key agreement, about
/// a tenth of a millisecond. PID 1 has other things to do as well.
const BATCH: usize = 256;
/// Connections to the server itself end by themselves, and the kernel frees them at its leisure: some have ended whenever
/// this much time has passed, and what they left in their slabs is given back.
const SHRINK: Duration = Duration::from_secs(30);
/// Until the rest of them.
const SOON: Duration = Duration::from_secs(1);

pub struct Janitor {
    idle: Duration,
    tick: Duration,
    started: Instant,
    next: Instant,
    /// By the interfaces' numbers.
    watches: [Watch; MOST_PORTS],
    /// Peers that the kernel did not take back: they are missing until it does.
    owed: BTreeSet<(Number, Key32)>,
    slabs: Slabs,
    shrunk: Instant,
    /// Counts how often stacks were overwritten.
    turn: usize,
    turnover: Turnover,
}

/// What one look at all interfaces found.
#[derive(Default)]
struct Found {
    /// Over, on this interface.
    idle: Vec<(Number, Key32)>,
    /// The kernel knows nothing of them any more, on this interface: removed, or the whole interface went.
    gone: BTreeSet<Key32>,
    /// Not over, on any interface.
    alive: BTreeSet<Key32>,
    /// There are more that are over.
    more: bool,
}

impl Janitor {
    /// Opens what it needs in /sys, which is unmounted afterwards.
    pub fn open(config: &Config) -> Step<Self> {
        let now = Instant::now();
        Ok(Self {
            idle: config.janitor.idle.duration(),
            tick: config.janitor.tick.duration(),
            started: now,
            next: now + config.janitor.tick.duration(),
            watches: Default::default(),
            owed: BTreeSet::new(),
            slabs: Slabs::open()?,
            shrunk: now,
            turn: 0,
            turnover: Turnover::open()?,
        })
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        Some(self.turnover.wake().map_or(self.next, |turn| turn.min(self.next)))
    }

    /// A look when it is due, and a step of turning the receive buffers over when that is due. What the kernel refuses
    /// is tried again at the next look; there is nobody to tell.
    pub fn tick(&mut self, now: Instant, tunnels: &Tunnels, peers: &Peers, outside: &Outside) {
        if cfg!(feature = "control-janitor-off") {
            self.next = now + self.tick;
            return;
        }
        if now >= self.next {
            let more = self.clean(now, tunnels, peers);
            self.next = now + if more { SOON.min(self.tick) } else { self.tick };
        }
        self.turnover.step(now, |turn| outside.probe(turn));
    }

    /// One whole round; says whether there is more to do.
    fn clean(&mut self, now: Instant, tunnels: &Tunnels, peers: &Peers) -> bool {
        let found = self.look(now, tunnels).unwrap_or(Found { more: true, ..Found::default() });
        self.renew(&found, tunnels, peers);
        let left = found.idle.iter().map(|(_, peer)| peer).chain(&found.gone);
        let over: BTreeSet<&Key32> = left.filter(|peer| !found.alive.contains(peer)).collect();
        tunnels.are_over(over.iter().filter_map(|peer| peers.networks(peer)).flatten());
        let forgotten = tunnels.forget().unwrap_or(true);
        if forgotten || !found.idle.is_empty() || !found.gone.is_empty() {
            self.turnover.begin(now);
            self.shrink(now, tunnels.conntrack());
        } else if now.saturating_duration_since(self.shrunk) >= SHRINK {
            self.shrink(now, tunnels.conntrack());
        }
        found.more
    }

    fn shrink(&mut self, now: Instant, conntrack: &Conntrack) {
        errors::overwrite();
        pages::give_back();
        #[cfg(feature = "probe")]
        crate::probe::cost_of_stacks(|| stacks::overwrite(self.turn, conntrack));
        #[cfg(not(feature = "probe"))]
        stacks::overwrite(self.turn, conntrack);
        self.turn = self.turn.wrapping_add(1);
        threads::overwrite();
        self.slabs.shrink();
        connections::overwrite(self.slabs.freed_connections(), conntrack);
        sockets::overwrite();
        self.shrunk = now;
    }

    /// # Errors
    /// When the kernel does not tell of one interface: who is alive there is not known, so nobody is judged.
    fn look(&mut self, now: Instant, tunnels: &Tunnels) -> Step<Found> {
        let read = |number: &Number| Ok((*number, tunnels.states(*number)?));
        let all = tunnels.live().iter().map(read).collect::<Step<Vec<_>>>()?;
        let mut found = Found::default();
        let at = now.saturating_duration_since(self.started);
        for (place, watch) in self.watches.iter_mut().enumerate() {
            let Some((number, states)) = all.iter().find(|(number, _)| number.place() == place) else {
                found.gone.extend(watch.end());
                continue;
            };
            let seen = watch.look(states, at, self.idle, BATCH);
            found.idle.extend(seen.idle.into_iter().map(|peer| (*number, peer)));
            found.gone.extend(seen.gone);
            found.alive.extend(seen.alive);
            found.more |= seen.more;
        }
        Ok(found)
    }

    fn renew(&mut self, found: &Found, tunnels: &Tunnels, peers: &Peers) {
        let mut due = std::mem::take(&mut self.owed);
        due.extend(&found.idle);
        for number in tunnels.live() {
            let all = due.iter().filter(|(on, _)| on == number);
            let known: Vec<_> = all.filter_map(|(_, peer)| Some((peer, peers.networks(peer)?))).collect();
            if !known.is_empty() && tunnels.renew(*number, known.iter().copied()).is_err() {
                self.owed.extend(known.iter().map(|(peer, _)| (*number, **peer)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
