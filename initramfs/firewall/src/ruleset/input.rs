//! What the server itself accepts.

use super::{
    filter, gateway, rule, DHCP_CLIENT, DHCP_SERVER, ECHO, ECHO6, FILTER, LISTENER_QUERY, NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION, ROUTER_ADVERTISEMENT,
};
use crate::chain::{Chain, Hook, Policy};
use crate::rule::Action::Accept;
use crate::rule::Interface::{Loopback, Outer, Tunnels};
use crate::rule::Match::{Destination, DestinationPort, From, Icmp, Icmp6, Known, Source, SourcePort};
use crate::rule::Rule;
use crate::rule::Transport::{Tcp, Udp};
use vitrine_attest::config::{Cidr, Config, Level, Network, Transport};

pub(super) fn chain(config: &Config) -> Chain {
    let mut rules = vec![rule(&[Known], Accept), rule(&[From(Loopback)], Accept)];
    let ports = config.wireguard.all_ports();
    rules.extend(ports.iter().map(|port| rule(&[From(Outer), DestinationPort(Udp, *port)], Accept)));
    rules.extend([
        rule(&[DestinationPort(Tcp, config.attestation.port)], Accept),
        rule(&[Icmp(ECHO)], Accept),
        rule(&[Icmp6(ECHO6)], Accept),
    ]);
    rules.extend(resolver(config));
    rules.extend(metrics(config));
    rules.extend(gateway::callers(config));
    if config.network == Network::Dhcp {
        let answer = [From(Outer), SourcePort(Udp, DHCP_SERVER), DestinationPort(Udp, DHCP_CLIENT)];
        rules.push(rule(&answer, Accept));
    }
    let needed = [ROUTER_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, LISTENER_QUERY];
    rules.extend(needed.map(|kind| rule(&[From(Outer), Icmp6(kind)], Accept)));
    filter("input", Hook::Input, FILTER, Policy::Drop, rules)
}

/// Questions from inside the tunnel, to the server's addresses there.
fn resolver(config: &Config) -> Vec<Rule> {
    let transports = config.resolver.iter().flat_map(|resolver| &resolver.transports);
    let ports: Vec<_> = transports
        .flat_map(|transport| match transport {
            Transport::Plain => vec![(Udp, 53), (Tcp, 53)],
            Transport::Dot => vec![(Tcp, 853)],
            Transport::Doh => vec![(Tcp, 443)],
        })
        .collect();
    let addresses = config.wireguard.addresses.iter().map(|own| Destination(Cidr::host(own.address)));
    addresses
        .flat_map(|own| {
            ports.iter().map(move |(transport, port)| {
                rule(&[From(Tunnels), own.clone(), DestinationPort(*transport, *port)], Accept)
            })
        })
        .collect()
}

/// The page of metrics, for clients or for the networks that are named.
fn metrics(config: &Config) -> Vec<Rule> {
    let metrics = &config.metrics;
    let page = DestinationPort(Tcp, metrics.port);
    if metrics.level == Level::L0 {
        return vec![];
    }
    if metrics.from.is_empty() {
        return vec![rule(&[From(Tunnels), page], Accept)];
    }
    let mut rules = Vec::new();
    for network in &metrics.from {
        if config.wireguard.addresses.iter().any(|tunnel| tunnel.overlaps(network)) {
            rules.push(rule(&[From(Tunnels), Source(*network), page.clone()], Accept));
        }
        if !config.wireguard.addresses.iter().any(|tunnel| holds(tunnel, network)) {
            rules.push(rule(&[From(Outer), Source(*network), page.clone()], Accept));
        }
    }
    rules
}

/// Whether the whole of `inner` lies in `outer`.
fn holds(outer: &Cidr, inner: &Cidr) -> bool {
    outer.prefix <= inner.prefix && outer.contains(inner.address)
}
