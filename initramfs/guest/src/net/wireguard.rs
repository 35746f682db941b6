//! The tunnels: key, port and peers of each interface (linux/wireguard.h). Only PID 1 has the right to touch them, and
//! only it ever reads peer state, see `peer_state.rs`.

use super::genl;
use super::netlink::Netlink;
use super::peer_state::{self, PeerStates};
use crate::keys::KeyPair;
use crate::stop::Step;
use netlink_packet_core::Emitable;
use netlink_packet_generic::GenlFamily;
use netlink_packet_wireguard::constants::{
    AF_INET, AF_INET6, WGDEVICE_F_REPLACE_PEERS, WGPEER_F_REMOVE_ME, WGPEER_F_REPLACE_ALLOWEDIPS,
};
use netlink_packet_wireguard::nlas::{WgAllowedIp, WgAllowedIpAttrs, WgDeviceAttrs, WgPeer, WgPeerAttrs};
use netlink_packet_wireguard::{Wireguard, WireguardCmd};
use netlink_sys::protocols::NETLINK_GENERIC;
use std::net::{IpAddr, SocketAddr};
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of peers in one message; their list is an attribute, which ends at 64 KiB.
const MESSAGE: usize = 32 << 10;
/// Networks in one entry of that list: 44 bytes each. A peer with more has several entries.
const NETWORKS: usize = 256;

/// The kernel's WireGuard.
pub struct WireGuard {
    netlink: Netlink,
    family: u16,
}

impl WireGuard {
    pub fn open() -> Step<Self> {
        let netlink = Netlink::open(NETLINK_GENERIC)?;
        let family = genl::family(&netlink, "wireguard")?;
        Ok(Self { netlink, family })
    }

    /// Gives an interface its key and its port, and no peers.
    pub fn configure(&self, interface: &str, key: &KeyPair, port: u16) -> Step {
        self.set(vec![
            name(interface),
            WgDeviceAttrs::PrivateKey(*key.secret()),
            WgDeviceAttrs::ListenPort(port),
            WgDeviceAttrs::Flags(WGDEVICE_F_REPLACE_PEERS),
        ])
    }

    /// Adds peers, or gives known ones these networks instead of their former ones.
    pub fn add<'a>(&self, interface: &str, peers: impl IntoIterator<Item = (&'a Key32, &'a [Cidr])>) -> Step {
        self.change(interface, peers.into_iter().flat_map(|(peer, networks)| added(peer, networks)))
    }

    /// Removes a peer: its endpoint, handshake time and counters are wiped by the kernel. An unknown one is no error.
    pub fn remove(&self, interface: &str, peer: &Key32) -> Step {
        self.change(interface, [removed(peer)])
    }

    /// Removes peers and adds them again: the kernel forgets what it knew of them. When it refuses, peers may be
    /// missing; the same call again brings them back.
    pub fn renew<'a>(&self, interface: &str, peers: impl IntoIterator<Item = (&'a Key32, &'a [Cidr])>) -> Step {
        let both = |(peer, networks)| std::iter::once(removed(peer)).chain(added(peer, networks));
        self.change(interface, peers.into_iter().flat_map(both))
    }

    /// Forgets a peer, and begins a session with it at once.
    pub fn speak(&self, interface: &str, peer: &Key32, endpoint: SocketAddr, networks: &[Cidr]) -> Step {
        let anew = WgPeer(vec![
            WgPeerAttrs::PublicKey(peer.0),
            WgPeerAttrs::Endpoint(endpoint),
            WgPeerAttrs::AllowedIps(networks.iter().map(|network| WgAllowedIp(allowed_ip(network))).collect()),
            WgPeerAttrs::PersistentKeepalive(1),
        ]);
        self.change(interface, [removed(peer), anew])
    }

    /// Gives an interface these peers instead of all others, without networks. Nothing is sent yet.
    pub fn replace(&self, interface: &str, peers: &[Key32], endpoint: SocketAddr) -> Step {
        let entry = |peer: &Key32| WgPeer(vec![WgPeerAttrs::PublicKey(peer.0), WgPeerAttrs::Endpoint(endpoint)]);
        self.set(vec![
            name(interface),
            WgDeviceAttrs::Flags(WGDEVICE_F_REPLACE_PEERS),
            WgDeviceAttrs::Peers(peers.iter().map(entry).collect()),
        ])
    }

    /// Begins a session with each of these peers.
    pub fn begin(&self, interface: &str, peers: &[Key32]) -> Step {
        let entry = |peer: &Key32| WgPeer(vec![WgPeerAttrs::PublicKey(peer.0), WgPeerAttrs::PersistentKeepalive(1)]);
        self.change(interface, peers.iter().map(entry))
    }

    /// Gives an interface another key; it keeps its peers.
    pub fn set_key(&self, interface: &str, key: &KeyPair) -> Step {
        self.set(vec![name(interface), WgDeviceAttrs::PrivateKey(*key.secret())])
    }

    /// The state of all peers of an interface, at most `room` of them.
    pub fn states(&self, interface: &str, room: usize) -> Step<PeerStates> {
        let mut states = Zeroizing::new(Vec::with_capacity(room));
        let question = peer_state::question(self.family, interface)?;
        // A socket for this one answer, see `Netlink::dump`
        Netlink::open(NETLINK_GENERIC)?.dump(&question, |message| peer_state::read(message, &mut states))?;
        Ok(states)
    }

    /// Sends entries in as few messages as they fit into.
    fn change(&self, interface: &str, entries: impl IntoIterator<Item = WgPeer>) -> Step {
        let (mut list, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            bytes += entry.buffer_len();
            list.push(entry);
            if bytes >= MESSAGE {
                self.set(vec![name(interface), WgDeviceAttrs::Peers(std::mem::take(&mut list))])?;
                bytes = 0;
            }
        }
        if list.is_empty() {
            return Ok(());
        }
        self.set(vec![name(interface), WgDeviceAttrs::Peers(list)])
    }

    fn set(&self, attributes: Vec<WgDeviceAttrs>) -> Step {
        let request = Request(Wireguard { cmd: WireguardCmd::SetDevice, nlas: attributes });
        self.netlink.request(genl::message(self.family, request), 0)
    }
}

fn name(interface: &str) -> WgDeviceAttrs {
    WgDeviceAttrs::IfName(interface.into())
}

fn removed(peer: &Key32) -> WgPeer {
    WgPeer(vec![WgPeerAttrs::PublicKey(peer.0), WgPeerAttrs::Flags(WGPEER_F_REMOVE_ME)])
}

/// The first entry replaces the former networks, the others add theirs.
fn added(peer: &Key32, networks: &[Cidr]) -> Vec<WgPeer> {
    let entry = |flags, networks: &[Cidr]| {
        let networks = networks.iter().map(|network| WgAllowedIp(allowed_ip(network))).collect();
        WgPeer(vec![WgPeerAttrs::PublicKey(peer.0), WgPeerAttrs::Flags(flags), WgPeerAttrs::AllowedIps(networks)])
    };
    let (first, others) = networks.split_at(networks.len().min(NETWORKS));
    let mut entries = vec![entry(WGPEER_F_REPLACE_ALLOWEDIPS, first)];
    entries.extend(others.chunks(NETWORKS).map(|some| entry(0, some)));
    entries
}

/// A request that wipes the private key it holds.
#[derive(Debug)]
struct Request(Wireguard);

impl Drop for Request {
    fn drop(&mut self) {
        for attribute in &mut self.0.nlas {
            if let WgDeviceAttrs::PrivateKey(key) = attribute {
                key.zeroize();
            }
        }
    }
}

impl GenlFamily for Request {
    fn family_name() -> &'static str {
        Wireguard::family_name()
    }
    fn command(&self) -> u8 {
        self.0.command()
    }
    fn version(&self) -> u8 {
        self.0.version()
    }
}

impl Emitable for Request {
    fn buffer_len(&self) -> usize {
        self.0.buffer_len()
    }
    fn emit(&self, buffer: &mut [u8]) {
        self.0.emit(buffer);
    }
}

fn allowed_ip(network: &Cidr) -> Vec<WgAllowedIpAttrs> {
    let family = match network.address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    };
    vec![
        WgAllowedIpAttrs::Family(family),
        WgAllowedIpAttrs::IpAddr(network.address),
        WgAllowedIpAttrs::Cidr(network.prefix),
    ]
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::net::rtnl::Routing;
    use std::net::Ipv4Addr;

    /// A client in the server's own network namespace, which speaks to it over the loopback interface.
    pub struct Client {
        interface: &'static str,
        server: Key32,
        pub public: Key32,
    }

    impl Client {
        pub fn new(interface: &'static str, server: Key32) -> Self {
            let routing = Routing::open().unwrap();
            let index = routing.create_wireguard(interface, 1420).unwrap();
            let key = KeyPair::generate().unwrap();
            WireGuard::open().unwrap().configure(interface, &key, 0).unwrap();
            routing.up(index).unwrap();
            Self { interface, server, public: key.public }
        }

        /// Begins a new session with one port of the server, and keeps it alive.
        pub fn speak_to(&self, port: u16) {
            let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            WireGuard::open().unwrap().speak(self.interface, &self.server, server, &[]).unwrap();
        }
    }

    fn flags(entry: &WgPeer) -> Option<u32> {
        entry.0.iter().find_map(|attribute| match attribute {
            WgPeerAttrs::Flags(flags) => Some(*flags),
            _ => None,
        })
    }

    #[test]
    fn many_networks_take_several_entries() {
        let networks: Vec<Cidr> = (0..600u32)
            .map(|n| Cidr { address: std::net::Ipv4Addr::from(0x0a42_0000 + n).into(), prefix: 32 })
            .collect();
        let entries = added(&Key32([1; 32]), &networks);
        let found: Vec<_> = entries.iter().map(|entry| flags(entry).unwrap()).collect();
        assert_eq!(found, [WGPEER_F_REPLACE_ALLOWEDIPS, 0, 0]);
        assert!(entries.iter().all(|entry| entry.buffer_len() < MESSAGE), "two of them fit into 64 KiB");
        assert_eq!(added(&Key32([1; 32]), &[]).len(), 1);
    }
}
