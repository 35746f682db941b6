//! With several tunnel interfaces: an answer goes out by the interface on which its client was last heard.
//!
//! Mark n + 1 stands for `wgN`; PID 1 sets up one routing table for each mark. So a client that moves to another port,
//! or to the key of the next rotation, keeps its connections. Where clients may speak to each other, the one that is
//! spoken to has to be on the newest interface: the main table sends there.

use super::{filter, rule, MANGLE};
use crate::chain::{Chain, Hook, Kind, Policy};
use crate::rule::Action::{MarkConnection, MarkPacket};
use crate::rule::Interface::{Tunnel, Tunnels};
use crate::rule::Match::{Answer, From, Question, To};
use vitrine_attest::config::{Config, MOST_PORTS};

/// None for a single interface.
pub(super) fn chains(config: &Config) -> Vec<Chain> {
    let count = config.wireguard.all_ports().len().min(MOST_PORTS);
    if count < 2 {
        return vec![];
    }
    let interfaces = (0u8..).take(count);
    let mut rules: Vec<_> =
        interfaces.map(|n| rule(&[From(Tunnel(n)), Question], MarkConnection(u32::from(n) + 1))).collect();
    rules.push(rule(&[Answer], MarkPacket));
    let answers = vec![rule(&[To(Tunnels)], MarkPacket)];
    vec![
        filter("marks_in", Hook::Prerouting, MANGLE, Policy::Accept, rules),
        Chain {
            name: "marks_out",
            kind: Kind::Route,
            hook: Hook::Output,
            priority: MANGLE,
            policy: Policy::Accept,
            rules: answers,
        },
    ]
}
