//! Before connection tracking: forged addresses end here, and the outer WireGuard flow passes unseen.

use super::{filter, gateway, rule, tunnel, RAW};
use crate::chain::{Chain, Hook, Policy};
use crate::rule::Action::{Accept, Drop, Untracked};
use crate::rule::Interface::{Outer, Tunnels};
use crate::rule::Match::{Destination, DestinationPort, From, Source, SourceOutside, SourcePort, To};
use crate::rule::Transport::Udp;
use crate::rule::{Family, Rule};
use vitrine_attest::config::{Config, Forward};

/// Nobody outside may use an address of the tunnel, nobody inside another one.
///
/// Then: the outer WireGuard flow is not tracked. Conntrack entries would keep the clients' addresses, and
/// `init_on_free` does not clear that cache. What goes to a client's own address is none of it, whatever its port.
pub(super) fn incoming(config: &Config) -> Chain {
    let mut rules: Vec<Rule> =
        config.wireguard.addresses.iter().map(|network| rule(&[From(Outer), Source(*network)], Drop)).collect();
    for family in [Family::Ip, Family::Ip6] {
        rules.push(rule(&[From(Tunnels), SourceOutside(family, tunnel(config, family))], Drop));
    }
    if config.forward == Forward::Routed6 {
        let clients = tunnel(config, Family::Ip6).into_iter();
        rules.extend(clients.map(|network| rule(&[From(Outer), Destination(network)], Accept)));
    }
    let ports = config.wireguard.all_ports();
    rules.extend(ports.iter().map(|port| rule(&[From(Outer), DestinationPort(Udp, *port)], Untracked)));
    rules.extend(gateway::untracked_in(config));
    filter("raw_in", Hook::Prerouting, RAW, Policy::Accept, rules)
}

pub(super) fn outgoing(config: &Config) -> Chain {
    let ports = config.wireguard.all_ports();
    let mut rules: Vec<Rule> = ports.iter().map(|port| rule(&[To(Outer), SourcePort(Udp, *port)], Untracked)).collect();
    rules.extend(gateway::untracked_out(config));
    filter("raw_out", Hook::Output, RAW, Policy::Accept, rules)
}
