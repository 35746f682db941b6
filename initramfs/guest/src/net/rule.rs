//! Policy rules: packets with a mark use a table of their own (linux/fib_rules.h).

use super::rtnl::{Routing, Table};
use crate::stop::Step;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

impl Routing {
    /// `fwmark <mark> lookup <table>` for IPv4 and IPv6. Rules are asked by ascending priority; one whose table has
    /// no route goes on to the next.
    pub fn add_rule(&self, mark: u32, table: Table, priority: u32) -> Step {
        [AddressFamily::Inet, AddressFamily::Inet6].into_iter().try_for_each(|family| {
            let mut rule = RuleMessage::default();
            rule.header.family = family;
            rule.header.table = table.0;
            rule.header.action = RuleAction::ToTable;
            rule.attributes = vec![RuleAttribute::Priority(priority), RuleAttribute::FwMark(mark)];
            self.request(RouteNetlinkMessage::NewRule(rule), NLM_F_CREATE | NLM_F_EXCL)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::{run, Space};
    use super::*;

    #[test]
    fn the_kernel_has_the_rules() {
        let Some(_space) = Space::new() else { return };
        Routing::open().unwrap().add_rule(2, Table(101), 1001).unwrap();
        for family in ["-4", "-6"] {
            let rules = run(&format!("ip {family} rule"));
            let expected = "1001:\tfrom all fwmark 0x2 lookup 101";
            assert!(rules.lines().any(|line| line.trim() == expected), "{rules}");
        }
    }
}
