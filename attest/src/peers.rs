//! Who may use the tunnel: personal data. On a server it is kept in PID 1 and in the kernel, and no order lists it.
//! The owner's own computer applies the same rules to the owner's file before anything is sent.

use crate::config::Cidr;
use crate::digest::Key32;
use crate::order::{merged, Changes};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Why a peer is not taken. The code is all that leaves a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub &'static str);

impl Refusal {
    /// In words, for the owner.
    pub fn words(self) -> &'static str {
        words(self.0)
    }
}

/// What a code means that came from a server.
pub fn words(code: &str) -> &'static str {
    match code {
        "own-key" => "this is the server's own key",
        "peer-full" => "the configuration allows no more peers (peers.most)",
        "peer-twice" => "this key is named twice",
        "allowed-ips" => "a network is outside of the tunnel's networks, or has host bits set",
        "own-address" => "a network holds the server's own address",
        "overlap" => "a network overlaps another peer's",
        "sync-order" => "the parts did not come in order",
        _ => "the server could not do it",
    }
}

/// Known peers and their networks.
pub struct Peers {
    own_key: Key32,
    /// The server's addresses with the tunnel's networks around them.
    tunnel: Vec<Cidr>,
    most: usize,
    known: BTreeMap<Key32, Vec<Cidr>>,
    /// Every network that is taken, by its first address, so that an order is checked in logarithmic time.
    taken: BTreeMap<IpAddr, (Cidr, Key32)>,
}

/// The same map in new memory: a B-tree's node keeps the bytes of what was removed from it, as long as it lives. The old
/// nodes go back to the allocator, which in PID 1 clears them.
pub fn renewed<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}

/// How to come from the peers there are to those that are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// First: gone, or with other networks.
    pub remove: Vec<Key32>,
    /// Then: new, or with other networks.
    pub add: Vec<(Key32, Vec<Cidr>)>,
    pub changes: Changes,
}

impl Peers {
    /// For at most this many peers.
    pub fn new(own_key: Key32, tunnel: Vec<Cidr>, most: usize) -> Self {
        Self { own_key, tunnel, most, known: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// Whether the peer may have these networks. Changes nothing.
    pub fn check(&self, peer: &Key32, networks: &[Cidr]) -> Result<(), Refusal> {
        if *peer == self.own_key {
            return Err(Refusal("own-key"));
        }
        if self.known.len() >= self.most && !self.known.contains_key(peer) {
            return Err(Refusal("peer-full"));
        }
        if networks.is_empty() {
            return Err(Refusal("allowed-ips"));
        }
        networks.iter().try_for_each(|network| self.check_network(peer, network))
    }

    fn check_network(&self, peer: &Key32, network: &Cidr) -> Result<(), Refusal> {
        let inside = |tunnel: &Cidr| tunnel.prefix <= network.prefix && tunnel.contains(network.address);
        if !is_network(network) || !self.tunnel.iter().any(inside) {
            return Err(Refusal("allowed-ips"));
        }
        if self.tunnel.iter().any(|own| network.contains(own.address)) {
            return Err(Refusal("own-address"));
        }
        if self.near(network).any(|owner| owner != peer) {
            return Err(Refusal("overlap"));
        }
        Ok(())
    }

    /// Owners of what overlaps this network. Taken networks never overlap each other, so those that overlap it begin
    /// inside it, or are the last that begins before it.
    fn near<'a>(&'a self, network: &'a Cidr) -> impl Iterator<Item = &'a Key32> {
        let around = self.taken.range(..network.address).next_back();
        let around = around.filter(|(_, (near, _))| near.contains(network.address));
        let inside = self.taken.range(network.address..).take_while(|(start, _)| network.contains(**start));
        around.into_iter().chain(inside).map(|(_, (_, owner))| owner)
    }

    /// After the kernel has taken it.
    pub fn added(&mut self, peer: Key32, mut networks: Vec<Cidr>) {
        self.removed(&peer);
        let kept = merged(&networks);
        wipe(&mut networks);
        self.taken.extend(kept.iter().map(|network| (network.address, (*network, peer))));
        self.known.insert(peer, kept);
    }

    /// After the kernel has forgotten it.
    pub fn removed(&mut self, peer: &Key32) {
        let Some(mut networks) = self.known.remove(peer) else { return };
        for network in &networks {
            if let Some(mut entry) = self.taken.remove(&network.address) {
                zeroize::Zeroize::zeroize(&mut entry.1 .0);
            }
        }
        wipe(&mut networks);
    }

    /// Nothing is left of those that were removed. After an order: it costs as much as there are peers.
    pub fn forget_removed(&mut self) {
        renewed(&mut self.known);
        renewed(&mut self.taken);
    }

    /// What has to be done so that exactly these peers are there. Changes nothing.
    ///
    /// # Errors
    /// When one of them may not be added to the others.
    pub fn difference(&self, wanted: &BTreeMap<Key32, Vec<Cidr>>) -> Result<Difference, Refusal> {
        let mut rebuilt = Self::new(self.own_key, self.tunnel.clone(), self.most);
        for (peer, networks) in wanted {
            rebuilt.check(peer, networks)?;
            rebuilt.added(*peer, networks.clone());
        }
        let same = |(peer, networks): &(&Key32, &Vec<Cidr>)| rebuilt.known.get(peer) == Some(networks);
        let remove: Vec<Key32> = self.known.iter().filter(|entry| !same(entry)).map(|(peer, _)| *peer).collect();
        let new = |(peer, networks): &(&Key32, &Vec<Cidr>)| self.known.get(peer) != Some(networks);
        let add: Vec<_> = rebuilt.known.iter().filter(new).map(|(peer, nets)| (*peer, nets.clone())).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let unchanged = self.known.len() - remove.len();
        let changes = Changes { added: count(add.len()), removed: count(remove.len()), unchanged: count(unchanged) };
        Ok(Difference { remove, add, changes })
    }

    pub fn networks(&self, peer: &Key32) -> Option<&[Cidr]> {
        self.known.get(peer).map(Vec::as_slice)
    }

    /// By key.
    pub fn each(&self) -> impl Iterator<Item = (&Key32, &[Cidr])> {
        self.known.iter().map(|(peer, networks)| (peer, networks.as_slice()))
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Overwrites addresses before their memory is freed. Keys of the tables cannot be reached in place; the kernel of the
/// image clears pages when it gets them back (`init_on_free`).
pub fn wipe(networks: &mut [Cidr]) {
    networks.fill(Cidr { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 });
    std::hint::black_box(networks);
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.known.values_mut().for_each(|networks| wipe(networks));
        self.taken.values_mut().for_each(|(network, owner)| {
            wipe(std::slice::from_mut(network));
            zeroize::Zeroize::zeroize(&mut owner.0);
        });
    }
}

/// No host bits are set: one network has one spelling.
pub fn is_network(cidr: &Cidr) -> bool {
    match cidr.address {
        IpAddr::V4(address) => u32::from(address).checked_shl(cidr.prefix.into()).unwrap_or(0) == 0,
        IpAddr::V6(address) => u128::from(address).checked_shl(cidr.prefix.into()).unwrap_or(0) == 0,
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
