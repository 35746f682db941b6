//! The rules of one image: a function of its measured configuration and of nothing else.

mod forward;
mod gateway;
mod input;
mod marks;
mod output;
mod raw;
#[cfg(test)]
mod tests;

use crate::chain::{Chain, Hook, Kind, Policy};
use crate::rule::{Action, Family, Match, Rule};
use vitrine_attest::config::{Cidr, Config};

/// Lower than connection tracking's −200 (NF_IP_PRI_RAW).
const RAW: i32 = -300;
/// After connection tracking, before routing and filtering (NF_IP_PRI_MANGLE).
const MANGLE: i32 = -150;
/// NF_IP_PRI_FILTER.
const FILTER: i32 = 0;
/// NF_IP_PRI_NAT_SRC.
const SOURCE_NAT: i32 = 100;
/// Any number above it.
const AFTER_NAT: i32 = 200;

/// UDP ports of DHCP (RFC 2131 §4.1).
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
/// ICMPv6 types that IPv6 does not work without (RFC 4890 §4.4.1), in and out by the outer interface:
/// router solicitation and advertisement, neighbour solicitation and advertisement (RFC 4861).
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Multicast listener query (RFC 2710) and version 2 report (RFC 3810): switches deliver neighbour
/// solicitations only to listeners they know.
const LISTENER_QUERY: u8 = 130;
const LISTENER_REPORT: u8 = 143;
/// Echo request (RFC 792, RFC 4443).
const ECHO: u8 = 8;
const ECHO6: u8 = 128;

/// All chains of table `inet vitrine`.
pub fn ruleset(config: &Config) -> Vec<Chain> {
    let mut chains = vec![raw::incoming(config), raw::outgoing(config)];
    chains.extend(marks::chains(config));
    chains.extend([input::chain(config), output::chain(config), forward::chain(config)]);
    chains.extend(forward::segment_size(config));
    chains.extend(forward::source_nat(config));
    chains.push(forward::inside_stays_inside(config));
    chains
}

/// The tunnel's networks of one family.
fn tunnel(config: &Config, family: Family) -> Vec<Cidr> {
    config.wireguard.addresses.iter().filter(|network| Family::of(network) == family).copied().collect()
}

fn rule(matches: &[Match], action: Action) -> Rule {
    Rule { matches: matches.to_vec(), action }
}

fn filter(name: &'static str, hook: Hook, priority: i32, policy: Policy, rules: Vec<Rule>) -> Chain {
    Chain { name, kind: Kind::Filter, hook, priority, policy, rules }
}
