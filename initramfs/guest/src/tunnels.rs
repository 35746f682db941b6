//! The tunnels as one: every live interface has the same peers, addresses and networks, and differs in its port and,
//! between generations, in its key.
//!
//! With more than one interface, replies have to leave by the one that the client uses at that moment. The firewall
//! remembers it as the connection's mark (`number + 1`); here the mark leads to the interface's own routing table.

use crate::conntrack::Conntrack;
use crate::keys::KeyPair;
use crate::net::peer_state::PeerStates;
use crate::net::rtnl::{Routing, Table, Use};
use crate::net::wireguard::WireGuard;
use crate::net::TUNNELS;
use crate::peers::Peers;
use crate::rotation::Generations;
use crate::stop::{OrStop as _, Step};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::SystemTime;
use vitrine_attest::config::{self, Cidr, Config};
use vitrine_attest::digest::Key32;
use vitrine_attest::peers::renewed;

/// Seconds after which a session is dead without a new handshake (REJECT_AFTER_TIME, WireGuard §6.1).
const SESSION: u64 = 180;
/// Of the first interface's rule; the others follow. Before the main table's 32766.
const PRIORITY: u32 = 1000;

/// Peers that may be left on an interface because the kernel did not remove them when it should have.
const SPARE: usize = 64;

/// Networks that are over and are still looked through for each new peer; more are forgotten at once.
const MANY: usize = 256;

/// Number of an interface: its place in `config.wireguard.all_ports()` and in [`TUNNELS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(usize);

impl Number {
    fn name(self) -> &'static str {
        // Configurations with more than MOST_PORTS are refused when they are read
        TUNNELS[self.0.min(TUNNELS.len() - 1)]
    }
    fn table(self) -> Table {
        Table(100 + self.0 as u8)
    }
    fn mark(self) -> u32 {
        self.0 as u32 + 1
    }
    /// For lists with one entry for each number.
    pub fn place(self) -> usize {
        self.0
    }
}

pub struct Tunnels {
    routing: Routing,
    wireguard: WireGuard,
    conntrack: Conntrack,
    config: config::WireGuard,
    /// Most peers that one interface is thought to have.
    most: usize,
    /// Interfaces that exist, those of the oldest generation first.
    live: Vec<Number>,
    /// What a peer had when it was added: its connections are forgotten when it goes.
    networks: RefCell<BTreeMap<Key32, Vec<Cidr>>>,
    /// Networks whose connections are to be forgotten. Not one by one: an order may replace ten thousand peers, and
    /// each time the kernel walks its whole table.
    over: RefCell<BTreeSet<Cidr>>,
}

impl Tunnels {
    /// Brings up the interfaces of generation 0, without peers, and the rules for all that will ever be.
    pub fn open(config: &Config, routing: &Routing, first: &KeyPair) -> Step<Self> {
        let ports = config.wireguard.all_ports().len();
        (1..=TUNNELS.len()).contains(&ports).then_some(()).or_stop("ports")?;
        if ports > 1 {
            for number in (0..ports).map(Number) {
                routing.add_rule(number.mark(), number.table(), PRIORITY + number.0 as u32)?;
            }
        }
        let mut tunnels = Self {
            routing: Routing::open()?,
            wireguard: WireGuard::open()?,
            conntrack: Conntrack::open(config)?,
            config: config.wireguard.clone(),
            most: config.peers.most as usize + SPARE,
            live: Vec::new(),
            networks: RefCell::default(),
            over: RefCell::default(),
        };
        tunnels.create(0, first)?;
        tunnels.lead_to_newest()?;
        Ok(tunnels)
    }

    /// Gives a peer these networks on every live interface. When they change, the connections of the former ones are
    /// forgotten at the janitor's next look.
    ///
    /// # Errors
    /// When the kernel refuses; the peer is then as it was before, as far as the kernel lets it.
    pub fn add_peer(&self, peer: &Key32, networks: &[Cidr]) -> Step {
        let overlaps = |over: &Cidr| networks.iter().any(|network| network.overlaps(over));
        let many = self.over.borrow().len() > MANY;
        if many || self.over.borrow().iter().any(overlaps) {
            // What was somebody else's is not to be forgotten later, when it is this peer's
            self.forget()?;
        }
        if let Err(stop) = self.each(|name| self.wireguard.add(name, [(peer, networks)])) {
            self.undo(peer);
            return Err(stop);
        }
        let former = self.networks.borrow_mut().insert(*peer, networks.to_vec()).unwrap_or_default();
        self.are_over(former.iter().filter(|network| !networks.contains(network)));
        Ok(())
    }

    fn undo(&self, peer: &Key32) {
        let networks = self.networks.borrow();
        let _ = self.each(|name| match networks.get(peer) {
            Some(former) => self.wireguard.add(name, [(peer, former.as_slice())]),
            None => self.wireguard.remove(name, peer),
        });
    }

    /// Removes a peer from every live interface; its connections are forgotten at the janitor's next look.
    pub fn remove_peer(&self, peer: &Key32) -> Step {
        self.each(|name| self.wireguard.remove(name, peer))?;
        let networks = self.networks.borrow_mut().remove(peer).unwrap_or_default();
        self.are_over(&networks);
        Ok(())
    }

    /// Whether the peer has a live session on any interface.
    pub fn online(&self, peer: &Key32) -> Step<bool> {
        let now = wall_clock();
        for number in &self.live {
            if self.states(*number)?.iter().any(|state| state.key == *peer && is_recent(state.handshake[0], now)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Peers with a live session; one that uses two interfaces is one.
    pub fn sessions(&self) -> Step<u32> {
        let now = wall_clock();
        let mut peers = BTreeSet::new();
        for number in &self.live {
            let states = self.states(*number)?;
            peers.extend(states.iter().filter(|state| is_recent(state.handshake[0], now)).map(|state| state.key));
        }
        u32::try_from(peers.len()).or_stop("sessions")
    }

    /// Interfaces that exist.
    pub fn live(&self) -> &[Number] {
        &self.live
    }

    /// What the kernel knows of the peers of one interface; for the janitor.
    pub fn states(&self, number: Number) -> Step<PeerStates> {
        self.wireguard.states(number.name(), self.most)
    }

    /// Removes peers from one interface and adds them again; for the janitor.
    pub fn renew<'a>(&self, number: Number, peers: impl IntoIterator<Item = (&'a Key32, &'a [Cidr])>) -> Step {
        self.wireguard.renew(number.name(), peers)
    }

    /// Connections of these networks are to be forgotten too; for the janitor.
    pub fn are_over<'a>(&self, networks: impl IntoIterator<Item = &'a Cidr>) {
        self.over.borrow_mut().extend(networks);
    }

    pub const fn conntrack(&self) -> &Conntrack {
        &self.conntrack
    }

    /// Forgets the connections of all networks that are over; says whether there were any.
    ///
    /// # Errors
    /// When some may be left: they are tried again the next time.
    pub fn forget(&self) -> Step<bool> {
        let over: Vec<Cidr> = self.over.borrow().iter().copied().collect();
        self.conntrack.forget(&over)?;
        self.over.borrow_mut().clear();
        if !over.is_empty() {
            // Some may have been removed
            renewed(&mut self.networks.borrow_mut());
        }
        Ok(!over.is_empty())
    }

    /// On all live interfaces, also when one fails; gives the first failure.
    fn each(&self, change: impl Fn(&'static str) -> Step) -> Step {
        let results: Vec<Step> = self.live.iter().map(|number| change(number.name())).collect();
        results.into_iter().collect()
    }

    /// Makes all interfaces of a generation, without peers.
    fn create(&mut self, generation: u32, key: &KeyPair) -> Step {
        let ports = self.config.all_ports();
        for number in numbers(&self.config, generation).map(Number) {
            if let Ok(left_over) = self.routing.index_of(number.name()) {
                self.routing.delete(left_over)?;
            }
            let index = self.routing.create_wireguard(number.name(), self.config.mtu)?;
            self.live.push(number);
            self.wireguard.configure(number.name(), key, *ports.get(number.0).or_stop("ports")?)?;
            for address in &self.config.addresses {
                self.routing.add_address(index, *address, Use::Inside)?;
            }
            self.routing.up(index)?;
            if ports.len() > 1 {
                for address in &self.config.addresses {
                    self.routing.set_network(index, *address, number.table())?;
                }
            }
        }
        Ok(())
    }

    /// No interface is left: no key, no peer, no session. For the watch.
    ///
    /// # Errors
    /// When one is still there.
    pub fn close(&mut self) -> Step {
        for number in std::mem::take(&mut self.live) {
            self.routing.delete(self.routing.index_of(number.name())?)?;
        }
        Ok(())
    }

    fn delete(&mut self, generation: u32) -> Step {
        for number in numbers(&self.config, generation).map(Number) {
            if self.live.contains(&number) {
                self.routing.delete(self.routing.index_of(number.name())?)?;
                self.live.retain(|other| *other != number);
            }
        }
        Ok(())
    }

    /// What has no mark goes to the first interface of the newest generation.
    fn lead_to_newest(&self) -> Step {
        let ports = self.config.ports.len();
        let newest = self.live.last().map(|last| Number(last.0 - last.0 % ports)).or_stop("tunnel")?;
        let index = self.routing.index_of(newest.name())?;
        self.config.addresses.iter().try_for_each(|address| self.routing.set_network(index, *address, Table::MAIN))
    }
}

impl Generations for Tunnels {
    fn begin(&mut self, generation: u32, key: &KeyPair, peers: &Peers) -> Step {
        let begun = self.create(generation, key).and_then(|()| {
            let new = numbers(&self.config, generation).map(Number);
            new.into_iter().try_for_each(|number| self.wireguard.add(number.name(), peers.each()))?;
            self.lead_to_newest()
        });
        if begun.is_err() {
            // Half a generation is none. What is left of it is found, and deleted, at the next attempt
            let _ = self.delete(generation);
            let _ = self.lead_to_newest();
        }
        begun
    }

    fn end(&mut self, generation: u32) -> Step {
        self.delete(generation)
    }
}

/// Interfaces of one generation.
fn numbers(config: &config::WireGuard, generation: u32) -> Range<usize> {
    let ports = config.ports.len();
    match &config.rotation {
        Some(rotation) if generation % 2 == 1 => ports..ports + rotation.ports.len(),
        _ => 0..ports,
    }
}

/// Seconds since 1970. The kernel writes handshakes by this clock, so this clock is asked; nobody in the image can
/// set it (no CAP_SYS_TIME). If it jumps all the same, sessions look dead or alive until their next handshake, at most
/// two minutes; the janitor does not use it.
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn is_recent(handshake: i64, now: u64) -> bool {
    u64::try_from(handshake).is_ok_and(|handshake| handshake != 0 && handshake.abs_diff(now) < SESSION)
}

#[cfg(test)]
pub mod tests;
