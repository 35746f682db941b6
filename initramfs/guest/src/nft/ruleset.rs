//! The rules of one image: a function of its measured configuration and of nothing else.

use super::rule::Match::{DestinationPort, From, Icmp, Icmp6, Known, SourcePort, To};
use super::rule::Transport::{Tcp, Udp};
use super::rule::Verdict::{Accept, Masquerade, Untracked};
use super::rule::{Match, Rule, Verdict};
use crate::dhcp::socket::{CLIENT_PORT as DHCP_CLIENT, SERVER_PORT as DHCP_SERVER};
use crate::net::{OUTER, TUNNEL};
use vitrine_attest::config::{Config, Forward, Network};

/// Where a chain looks at packets, with the kernel's number (enum nf_inet_hooks).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// What happens with a packet that no rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Drop = 0,
    Accept = 1,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub name: &'static str,
    pub hook: Hook,
    /// Order among chains of one hook: −300 before connection tracking, 0 filtering, 100 source NAT.
    pub priority: i32,
    /// `filter` or `nat`.
    pub kind: &'static str,
    pub policy: Policy,
    pub rules: Vec<Rule>,
}

/// Lower than connection tracking's −200 (NF_IP_PRI_RAW).
const RAW: i32 = -300;
/// NF_IP_PRI_NAT_SRC.
const SOURCE_NAT: i32 = 100;

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
    let mut chains = vec![before_tracking_in(config), before_tracking_out(config), input(config), output(config)];
    chains.push(forward(config));
    if config.forward == Forward::Nat {
        chains.push(source_nat());
    }
    chains
}

/// The outer WireGuard flow is not tracked: conntrack entries would keep the clients' addresses, and
/// `init_on_free` does not clear that cache.
fn before_tracking_in(config: &Config) -> Chain {
    let wireguard = rule(&[From(OUTER), DestinationPort(Udp, config.wireguard.port)], Untracked);
    filter("raw_in", Hook::Prerouting, RAW, Policy::Accept, vec![wireguard])
}

fn before_tracking_out(config: &Config) -> Chain {
    let wireguard = rule(&[To(OUTER), SourcePort(Udp, config.wireguard.port)], Untracked);
    filter("raw_out", Hook::Output, RAW, Policy::Accept, vec![wireguard])
}

fn input(config: &Config) -> Chain {
    let mut rules = vec![
        rule(&[Known], Accept),
        rule(&[From("lo")], Accept),
        rule(&[From(OUTER), DestinationPort(Udp, config.wireguard.port)], Accept),
        rule(&[DestinationPort(Tcp, config.attestation.port)], Accept),
        rule(&[Icmp(ECHO)], Accept),
        rule(&[Icmp6(ECHO6)], Accept),
    ];
    if config.network == Network::Dhcp {
        let answer = [From(OUTER), SourcePort(Udp, DHCP_SERVER), DestinationPort(Udp, DHCP_CLIENT)];
        rules.push(rule(&answer, Accept));
    }
    let needed = [ROUTER_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, LISTENER_QUERY];
    rules.extend(needed.map(|kind| rule(&[From(OUTER), Icmp6(kind)], Accept)));
    filter("input", Hook::Input, 0, Policy::Drop, rules)
}

/// The server itself starts nothing but DHCP and neighbour discovery; it answers.
fn output(config: &Config) -> Chain {
    let mut rules = vec![
        rule(&[Known], Accept),
        rule(&[To("lo")], Accept),
        rule(&[To(OUTER), SourcePort(Udp, config.wireguard.port)], Accept),
    ];
    if config.network == Network::Dhcp {
        let question = [To(OUTER), SourcePort(Udp, DHCP_CLIENT), DestinationPort(Udp, DHCP_SERVER)];
        rules.push(rule(&question, Accept));
    }
    let needed = [ROUTER_SOLICITATION, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, LISTENER_REPORT];
    rules.extend(needed.map(|kind| rule(&[To(OUTER), Icmp6(kind)], Accept)));
    filter("output", Hook::Output, 0, Policy::Drop, rules)
}

/// Clients reach the outside and nobody else: not each other (tunnel to tunnel has no rule), and the outside
/// reaches no client that did not begin.
fn forward(config: &Config) -> Chain {
    let rules = match config.forward {
        Forward::None => vec![],
        Forward::Nat => {
            vec![rule(&[From(OUTER), To(TUNNEL), Known], Accept), rule(&[From(TUNNEL), To(OUTER)], Accept)]
        }
    };
    filter("forward", Hook::Forward, 0, Policy::Drop, rules)
}

/// IPv4 and IPv6 alike.
fn source_nat() -> Chain {
    let rules = vec![rule(&[From(TUNNEL), To(OUTER)], Masquerade)];
    let (hook, policy) = (Hook::Postrouting, Policy::Accept);
    Chain { name: "source_nat", hook, priority: SOURCE_NAT, kind: "nat", policy, rules }
}

fn rule(matches: &[Match], verdict: Verdict) -> Rule {
    Rule { matches: matches.to_vec(), verdict }
}

fn filter(name: &'static str, hook: Hook, priority: i32, policy: Policy, rules: Vec<Rule>) -> Chain {
    Chain { name, hook, priority, kind: "filter", policy, rules }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        serde_json::from_str(text).expect("a sample configuration")
    }

    #[test]
    fn without_forwarding_nothing_is_forwarded_or_translated() {
        let chains = ruleset(&config(r#"{"forward":"none","wireguard":{"addresses":["10.66.0.1/24"]}}"#));
        let forward = chains.iter().find(|chain| chain.name == "forward").unwrap();
        assert_eq!((forward.policy, forward.rules.len()), (Policy::Drop, 0));
        assert!(chains.iter().all(|chain| chain.kind == "filter"));
    }

    #[test]
    fn static_networks_have_no_dhcp_rules() {
        let network = r#"{"mode":"static","addresses":["192.0.2.1/24"]}"#;
        let text = format!(r#"{{"network":{network},"wireguard":{{"addresses":["10.66.0.1/24"]}}}}"#);
        let chains = ruleset(&config(&text));
        let has_dhcp = |rule: &Rule| rule.matches.iter().any(|m| matches!(m, SourcePort(Udp, 67 | 68)));
        assert!(!chains.iter().flat_map(|chain| &chain.rules).any(has_dhcp));
    }

    #[test]
    fn clients_never_reach_each_other() {
        let chains = ruleset(&config(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#));
        let forward = chains.iter().find(|chain| chain.name == "forward").unwrap();
        assert_eq!(forward.policy, Policy::Drop);
        assert!(forward
            .rules
            .iter()
            .all(|rule| rule.matches.contains(&From(OUTER)) || rule.matches.contains(&To(OUTER))));
    }
}
