//! The tunnel: its key, its port and its peers (linux/wireguard.h). Only PID 1 has the right to touch them,
//! and it writes only: nothing here reads a peer's state back, so no copy of an endpoint is ever made.

use super::netlink::Netlink;
use super::{genl, TUNNEL};
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
use std::net::IpAddr;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use zeroize::Zeroize as _;

pub struct Tunnel {
    netlink: Netlink,
    family: u16,
}

impl Tunnel {
    /// Finds the kernel's WireGuard.
    pub fn open() -> Step<Self> {
        let netlink = Netlink::open(NETLINK_GENERIC)?;
        let family = genl::family(&netlink, "wireguard")?;
        Ok(Self { netlink, family })
    }

    /// Gives the interface its key and its port, and no peers.
    pub fn configure(&self, key: &KeyPair, port: u16) -> Step {
        self.set(vec![
            name(),
            WgDeviceAttrs::PrivateKey(*key.secret()),
            WgDeviceAttrs::ListenPort(port),
            WgDeviceAttrs::Flags(WGDEVICE_F_REPLACE_PEERS),
        ])
    }

    /// Adds a peer, or gives a known one these networks instead of its former ones.
    pub fn add_peer(&self, peer: &Key32, networks: &[Cidr]) -> Step {
        let networks = networks.iter().map(|network| WgAllowedIp(allowed_ip(network))).collect();
        self.set_peer(peer, WGPEER_F_REPLACE_ALLOWEDIPS, Some(WgPeerAttrs::AllowedIps(networks)))
    }

    /// Removes a peer: its endpoint, handshake time and counters are wiped by the kernel. An unknown one is no error.
    pub fn remove_peer(&self, peer: &Key32) -> Step {
        self.set_peer(peer, WGPEER_F_REMOVE_ME, None)
    }

    fn set_peer(&self, peer: &Key32, flags: u32, networks: Option<WgPeerAttrs>) -> Step {
        let mut attributes = vec![WgPeerAttrs::PublicKey(peer.0), WgPeerAttrs::Flags(flags)];
        attributes.extend(networks);
        self.set(vec![name(), WgDeviceAttrs::Peers(vec![WgPeer(attributes)])])
    }

    fn set(&self, attributes: Vec<WgDeviceAttrs>) -> Step {
        let request = Request(Wireguard { cmd: WireguardCmd::SetDevice, nlas: attributes });
        self.netlink.request(genl::message(self.family, request), 0)
    }
}

fn name() -> WgDeviceAttrs {
    WgDeviceAttrs::IfName(TUNNEL.into())
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
