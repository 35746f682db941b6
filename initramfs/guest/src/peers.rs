//! Who may use the tunnel: personal data. It is kept in PID 1 and in the kernel, and nothing here can list it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;

/// Peers of one server; a table of them takes some MiB of RAM, and the kernel some more.
const MOST_PEERS: usize = 10_000;

/// Why an order is not carried out. The code is all that leaves PID 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub &'static str);

/// Known peers and their networks: kept only to refuse networks that are taken.
pub struct Peers {
    own_key: Key32,
    /// The server's addresses with the tunnel's networks around them.
    tunnel: Vec<Cidr>,
    known: BTreeMap<Key32, Vec<Cidr>>,
    /// Every network that is taken, by its first address, so that an order is checked in logarithmic time.
    taken: BTreeMap<IpAddr, (Cidr, Key32)>,
}

impl Peers {
    pub fn new(own_key: Key32, tunnel: Vec<Cidr>) -> Self {
        Self { own_key, tunnel, known: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// Whether the peer may have these networks. Changes nothing.
    pub fn check(&self, peer: &Key32, networks: &[Cidr]) -> Result<(), Refusal> {
        if *peer == self.own_key {
            return Err(Refusal("own-key"));
        }
        if self.known.len() >= MOST_PEERS && !self.known.contains_key(peer) {
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
        if self.is_taken(network, peer) {
            return Err(Refusal("overlap"));
        }
        Ok(())
    }

    /// Whether any part belongs to somebody else. Taken networks never overlap each other, so those that overlap
    /// this one begin inside it, or are the last that begins before it.
    fn is_taken(&self, network: &Cidr, peer: &Key32) -> bool {
        let around = self.taken.range(..=network.address).next_back();
        let around = around.filter(|(_, (near, _))| near.contains(network.address));
        let inside = self.taken.range(network.address..).take_while(|(start, _)| network.contains(**start));
        around.into_iter().chain(inside).any(|(_, (_, owner))| owner != peer)
    }

    /// After the kernel has taken it.
    pub fn added(&mut self, peer: Key32, mut networks: Vec<Cidr>) {
        self.removed(&peer);
        merge(&mut networks);
        self.taken.extend(networks.iter().map(|network| (network.address, (*network, peer))));
        self.known.insert(peer, networks);
    }

    /// After the kernel has forgotten it.
    pub fn removed(&mut self, peer: &Key32) {
        for network in self.known.remove(peer).unwrap_or_default() {
            self.taken.remove(&network.address);
        }
    }
}

/// Leaves out networks that lie inside others of the list.
fn merge(networks: &mut Vec<Cidr>) {
    networks.sort_by_key(|network| (network.prefix, network.address));
    let mut kept: Vec<Cidr> = Vec::with_capacity(networks.len());
    for network in networks.drain(..) {
        if !kept.iter().any(|outer| outer.contains(network.address)) {
            kept.push(network);
        }
    }
    *networks = kept;
}

/// No host bits are set: one network has one spelling.
fn is_network(cidr: &Cidr) -> bool {
    match cidr.address {
        IpAddr::V4(address) => u32::from(address).checked_shl(cidr.prefix.into()).unwrap_or(0) == 0,
        IpAddr::V6(address) => u128::from(address).checked_shl(cidr.prefix.into()).unwrap_or(0) == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key32 = Key32([1; 32]);
    const B: Key32 = Key32([2; 32]);

    fn nets(text: &[&str]) -> Vec<Cidr> {
        text.iter().map(|one| one.parse().unwrap()).collect()
    }

    fn peers() -> Peers {
        Peers::new(Key32([9; 32]), nets(&["10.66.0.1/24", "fd66::1/64"]))
    }

    fn check(peers: &Peers, peer: &Key32, text: &[&str]) -> Result<(), &'static str> {
        peers.check(peer, &nets(text)).map_err(|refusal| refusal.0)
    }

    #[test]
    fn inside_the_tunnel_and_nowhere_else() {
        let peers = peers();
        assert_eq!(check(&peers, &A, &["10.66.0.2/32", "fd66::2/128"]), Ok(()));
        assert_eq!(check(&peers, &A, &["10.66.0.128/25"]), Ok(()));
        for bad in ["10.66.1.2/32", "10.66.0.0/23", "0.0.0.0/0", "::/0", "fd66:0:0:1::/64", "10.66.0.130/25"] {
            assert_eq!(check(&peers, &A, &["10.66.0.2/32", bad]), Err("allowed-ips"), "{bad}");
        }
        assert_eq!(check(&peers, &A, &[]), Err("allowed-ips"));
        assert_eq!(check(&peers, &Key32([9; 32]), &["10.66.0.2/32"]), Err("own-key"));
    }

    #[test]
    fn not_the_servers_own_address() {
        for bad in ["10.66.0.1/32", "10.66.0.0/24", "10.66.0.0/25", "fd66::/127"] {
            assert_eq!(check(&peers(), &A, &[bad]), Err("own-address"), "{bad}");
        }
    }

    #[test]
    fn not_another_peers() {
        let mut peers = peers();
        peers.added(A, nets(&["10.66.0.8/29", "fd66::8/125", "10.66.0.9/32"]));
        for bad in ["10.66.0.8/32", "10.66.0.15/32", "10.66.0.8/30", "10.66.0.8/29", "fd66::a/128"] {
            assert_eq!(check(&peers, &B, &[bad]), Err("overlap"), "{bad}");
            assert_eq!(check(&peers, &A, &[bad]), Ok(()), "its own");
        }
        assert_eq!(check(&peers, &B, &["10.66.0.16/32", "10.66.0.7/32", "fd66::7/128"]), Ok(()));
        peers.added(A, nets(&["10.66.0.32/27"]));
        assert_eq!(check(&peers, &B, &["10.66.0.8/32"]), Ok(()), "former networks are free");
        assert_eq!(check(&peers, &B, &["10.66.0.32/32"]), Err("overlap"));
        peers.removed(&A);
        assert_eq!(check(&peers, &B, &["10.66.0.32/32"]), Ok(()));
        assert!(peers.taken.is_empty() && peers.known.is_empty());
    }

    #[test]
    fn one_peer_may_not_hide_anothers_network() {
        let mut peers = peers();
        peers.added(A, nets(&["10.66.0.16/32"]));
        peers.added(B, nets(&["10.66.0.18/32"]));
        assert_eq!(check(&peers, &A, &["10.66.0.16/28"]), Err("overlap"));
    }
}
