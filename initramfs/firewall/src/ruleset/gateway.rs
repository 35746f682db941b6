//! The gateway: who may call it, and whom it calls.
//!
//! Clients' connections from outside are not tracked, as the tunnel's outside is not: entries would keep their addresses, and
//! `init_on_free` does not clear that cache. Their port is the gateway's alone, so no rule needs to know whether one has begun.

use super::rule;
use crate::rule::Action::{Accept, Untracked};
use crate::rule::Interface::{Outer, Tunnels};
use crate::rule::Match::{Destination, DestinationPort, From, SourcePort, To, User};
use crate::rule::Rule;
use crate::rule::Transport::Tcp;
use std::collections::BTreeSet;
use vitrine_attest::config::{Cidr, Config, Reach};

/// The user that the gateway runs as in the image.
const GATEWAY: u32 = 203;

/// Its port, when it may be called from there.
pub(super) fn port(config: &Config, reach: Reach) -> Option<u16> {
    config.gateway.as_ref().filter(|gateway| gateway.reach.contains(&reach)).map(|gateway| gateway.port)
}

/// From outside on any of the server's addresses, from the tunnel on those that it has there.
pub(super) fn callers(config: &Config) -> Vec<Rule> {
    let outside = port(config, Reach::Outside).into_iter();
    let mut rules: Vec<Rule> = outside.map(|port| rule(&[From(Outer), DestinationPort(Tcp, port)], Accept)).collect();
    if let Some(port) = port(config, Reach::Tunnel) {
        let own = config.wireguard.addresses.iter().map(|own| Destination(Cidr::host(own.address)));
        rules.extend(own.map(|own| rule(&[From(Tunnels), own, DestinationPort(Tcp, port)], Accept)));
    }
    rules
}

/// Nobody but the gateway sends from its port.
pub(super) fn answers(config: &Config) -> Vec<Rule> {
    let outside = port(config, Reach::Outside).into_iter();
    outside.map(|port| rule(&[To(Outer), SourcePort(Tcp, port)], Accept)).collect()
}

/// The addresses of the configuration, outside or in the tunnel; loopback is open anyway.
pub(super) fn calls(config: &Config) -> Vec<Rule> {
    let upstreams = config.gateway.iter().flat_map(|gateway| gateway.upstreams.values());
    let addresses: BTreeSet<_> = upstreams.flat_map(|upstream| &upstream.addresses).collect();
    let far = addresses.into_iter().filter(|address| !address.ip().is_loopback());
    far.map(|address| {
        let inside = config.wireguard.addresses.iter().any(|network| network.contains(address.ip()));
        let way = To(if inside { Tunnels } else { Outer });
        let there = Destination(Cidr::host(address.ip()));
        rule(&[way, User(GATEWAY), there, DestinationPort(Tcp, address.port())], Accept)
    })
    .collect()
}

pub(super) fn untracked_in(config: &Config) -> Vec<Rule> {
    let outside = port(config, Reach::Outside).into_iter();
    outside.map(|port| rule(&[From(Outer), DestinationPort(Tcp, port)], Untracked)).collect()
}

pub(super) fn untracked_out(config: &Config) -> Vec<Rule> {
    let outside = port(config, Reach::Outside).into_iter();
    outside.map(|port| rule(&[To(Outer), SourcePort(Tcp, port)], Untracked)).collect()
}
