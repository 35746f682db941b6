//! What passes between the tunnel and the outside.

use super::{filter, gateway, rule, tunnel, AFTER_NAT, FILTER, MANGLE, SOURCE_NAT};
use crate::chain::{Chain, Hook, Kind, Policy};
use crate::rule::Action::{Accept, Drop, Masquerade, MasqueradeElsewhere, SegmentSize};
use crate::rule::Interface::{Outer, Tunnels};
use crate::rule::Match::{self, Destination, From, Known, Source, SourcePort, Syn, To};
use crate::rule::Transport::{Tcp, Udp};
use crate::rule::{Family, Rule};
use vitrine_attest::config::{Cidr, Clients, Config, Forward, Network, Reach, PRIVATE};

/// Headers of a TCP segment without options: 20 bytes, and 20 of IPv4 or 40 of IPv6.
const HEADERS: u16 = 40;
const HEADERS6: u16 = 60;

/// Clients reach the public Internet and the private networks that are named, and nobody else: each other only when
/// the configuration says so. The outside reaches no client that did not begin.
pub(super) fn chain(config: &Config) -> Chain {
    let mut rules = Vec::new();
    if config.forward != Forward::None {
        rules.extend([
            rule(&[From(Outer), To(Tunnels), Known], Accept),
            rule(&[From(Tunnels), To(Outer), Known], Accept),
        ]);
        let out = |network: Cidr| [From(Tunnels), To(Outer), Destination(network)];
        rules.extend(config.firewall.reach.iter().map(|network| rule(&out(*network), Accept)));
        rules.extend(refused(config).into_iter().map(|network| rule(&out(network), Drop)));
        rules.push(rule(&[From(Tunnels), To(Outer)], Accept));
    }
    if config.firewall.clients == Clients::Together {
        rules.push(rule(&[From(Tunnels), To(Tunnels)], Accept));
    }
    filter("forward", Hook::Forward, FILTER, Policy::Drop, rules)
}

/// Private ranges, and the networks in which the server itself stands as far as the configuration knows them: with
/// DHCP it does not, and those are refused only when they are private.
fn refused(config: &Config) -> Vec<Cidr> {
    let private = PRIVATE.iter().map(|text| text.parse().expect("a test reads every entry of PRIVATE"));
    let own = match &config.network {
        Network::Static { addresses, .. } => addresses.as_slice(),
        Network::Dhcp => &[],
    };
    private.chain(own.iter().copied()).collect()
}

/// TCP segments have to fit into the tunnel, both ways: errors about packets that are too big get lost on the way.
pub(super) fn segment_size(config: &Config) -> Option<Chain> {
    if config.forward == Forward::None && config.firewall.clients == Clients::Isolated {
        return None;
    }
    let mtu = config.wireguard.mtu;
    let sizes = [(Family::Ip, mtu.saturating_sub(HEADERS)), (Family::Ip6, mtu.saturating_sub(HEADERS6))];
    let both = [From(Tunnels), To(Tunnels)];
    let rules = both.iter().flat_map(|way| {
        sizes.map(|(family, size)| rule(&[way.clone(), Match::Family(family), Syn], SegmentSize(size)))
    });
    Some(filter("segment_size", Hook::Forward, MANGLE, Policy::Accept, rules.collect()))
}

/// IPv4 always leaves under the server's address, IPv6 unless it is routed. A client's datagrams from a port that is the
/// server's own WireGuard port, such as those of a tunnel inside the tunnel, and its segments from the gateway's port leave from
/// another one: nobody tracks these ports, so the answers would go to the server itself.
pub(super) fn source_nat(config: &Config) -> Option<Chain> {
    let out = [From(Tunnels), To(Outer)];
    let translated: Vec<Match> = match config.forward {
        Forward::None => return None,
        Forward::Nat => out.into(),
        Forward::Routed6 => [&out[..], &[Match::Family(Family::Ip)]].concat(),
    };
    let mut own: Vec<Match> = config.wireguard.all_ports().into_iter().map(|port| SourcePort(Udp, port)).collect();
    own.extend(gateway::port(config, Reach::Outside).map(|port| SourcePort(Tcp, port)));
    let own = own.into_iter().map(|port| [&translated[..], &[port]].concat());
    let mut rules: Vec<Rule> = own.map(|matches| rule(&matches, MasqueradeElsewhere)).collect();
    rules.push(rule(&translated, Masquerade));
    let (hook, policy) = (Hook::Postrouting, Policy::Accept);
    Some(Chain { name: "source_nat", kind: Kind::Nat, hook, priority: SOURCE_NAT, policy, rules })
}

/// Nobody outside ever sees an address of the tunnel. NAT leaves out what connection tracking finds invalid, such as a
/// late segment of a connection that is over, and while the server has no address of its own outside it takes one of
/// the tunnel's.
pub(super) fn inside_stays_inside(config: &Config) -> Chain {
    let mut hidden = tunnel(config, Family::Ip);
    if config.forward != Forward::Routed6 {
        hidden.extend(tunnel(config, Family::Ip6));
    }
    let rules = hidden.into_iter().map(|network| rule(&[To(Outer), Source(network)], Drop)).collect();
    filter("inside_stays_inside", Hook::Postrouting, AFTER_NAT, Policy::Accept, rules)
}
