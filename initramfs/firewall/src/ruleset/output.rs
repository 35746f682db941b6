//! What the server itself sends. It starts nothing but DHCP, neighbour discovery, its resolver's questions and its gateway's
//! calls.

use super::{
    filter, gateway, rule, DHCP_CLIENT, DHCP_SERVER, FILTER, LISTENER_REPORT, NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION, ROUTER_SOLICITATION,
};
use crate::chain::{Chain, Hook, Policy};
use crate::rule::Action::Accept;
use crate::rule::Interface::{Loopback, Outer, Own};
use crate::rule::Match::{Destination, DestinationPort, Icmp6, Known, SourcePort, To, User};
use crate::rule::Rule;
use crate::rule::Transport::{Tcp, Udp};
use vitrine_attest::config::{Cidr, Config, ForwardProtocol, ForwardServer, Network, Resolver, Upstream};

/// The user that the resolver runs as in the image.
const RESOLVER: u32 = 201;
const DNS: u16 = 53;

pub(super) fn chain(config: &Config) -> Chain {
    let mut rules = vec![rule(&[Known], Accept), rule(&[To(Loopback)], Accept), rule(&[To(Own)], Accept)];
    let ports = config.wireguard.all_ports();
    rules.extend(ports.iter().map(|port| rule(&[To(Outer), SourcePort(Udp, *port)], Accept)));
    if config.network == Network::Dhcp {
        let question = [To(Outer), SourcePort(Udp, DHCP_CLIENT), DestinationPort(Udp, DHCP_SERVER)];
        rules.push(rule(&question, Accept));
    }
    let needed = [ROUTER_SOLICITATION, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, LISTENER_REPORT];
    rules.extend(needed.map(|kind| rule(&[To(Outer), Icmp6(kind)], Accept)));
    rules.extend(config.resolver.iter().flat_map(questions));
    rules.extend(gateway::answers(config));
    rules.extend(gateway::calls(config));
    filter("output", Hook::Output, FILTER, Policy::Drop, rules)
}

/// Recursion asks any server of the Internet, forwarding the configured ones; neither asks a client.
fn questions(resolver: &Resolver) -> Vec<Rule> {
    match &resolver.upstream {
        Upstream::Recursive { .. } => [Udp, Tcp]
            .map(|transport| rule(&[To(Outer), User(RESOLVER), DestinationPort(transport, DNS)], Accept))
            .into(),
        Upstream::Forward { servers, .. } => servers.iter().flat_map(forwarded).collect(),
    }
}

/// DoT and DoH are TCP; DNSCrypt asks over UDP, and over TCP what is too long for it.
fn forwarded(server: &ForwardServer) -> Vec<Rule> {
    let transports: &[_] = match server.protocol {
        ForwardProtocol::Dot | ForwardProtocol::Doh => &[Tcp],
        ForwardProtocol::DnsCrypt => &[Udp, Tcp],
    };
    let there = || Destination(Cidr::host(server.address.ip()));
    let port = |transport| DestinationPort(transport, server.address.port());
    transports.iter().map(|way| rule(&[To(Outer), User(RESOLVER), there(), port(*way)], Accept)).collect()
}
