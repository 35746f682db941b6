//! One nfnetlink batch: the kernel takes all of it or nothing (linux/netfilter/nfnetlink.h).

use crate::attributes::Attributes;
use crate::chain::Chain;
use crate::expressions::expressions;
use crate::rule::Rule;

/// NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
/// NFNL_SUBSYS_NFTABLES, the upper byte of every message type.
const SUBSYSTEM: u16 = 10;
/// Messages of nf_tables (enum nf_tables_msg_types).
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
/// NFPROTO_INET: IPv4 and IPv6.
const INET: u8 = 1;
const UNSPECIFIED: u8 = 0;
/// NLM_F_REQUEST; NLM_F_ACK; NLM_F_CREATE; NLM_F_APPEND.
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
/// Name of the only table.
const TABLE: &str = "vitrine";

/// A finished batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub bytes: Vec<u8>,
    /// How many acknowledgements the kernel sends when it took everything.
    pub acknowledgements: usize,
}

/// Encodes table, chains and rules, in this order.
///
/// Only the last message asks for an acknowledgement: the kernel reports every error in any case, takes all or
/// nothing, and hundreds of acknowledgements would not fit into the socket.
pub fn encode(chains: &[Chain]) -> Batch {
    let mut messages = vec![(NEW_TABLE, CREATE, Attributes::default().text(1, TABLE))];
    messages.extend(chains.iter().map(|chain| (NEW_CHAIN, CREATE, chain_attributes(chain))));
    for chain in chains {
        let rules = chain.rules.iter().map(|rule| (NEW_RULE, CREATE | APPEND, rule_attributes(chain, rule)));
        messages.extend(rules);
    }
    let last = messages.len() - 1;
    let mut batch = Builder::default();
    batch.edge(BEGIN);
    for (n, (kind, flags, attributes)) in messages.into_iter().enumerate() {
        let acknowledge = if n == last { ACK } else { 0 };
        batch.append(kind, REQUEST | acknowledge | flags, INET, 0, attributes.as_bytes());
    }
    batch.edge(END);
    Batch { bytes: batch.bytes, acknowledgements: 1 }
}

/// NFTA_CHAIN_TABLE 1, NAME 3, HOOK 4 { HOOKNUM 1, PRIORITY 2 }, POLICY 5, TYPE 7.
fn chain_attributes(chain: &Chain) -> Attributes {
    let hook = Attributes::default().number(1, chain.hook as u32).number(2, chain.priority.cast_unsigned());
    let named = Attributes::default().text(1, TABLE).text(3, chain.name);
    named.nest(4, hook).number(5, chain.policy as u32).text(7, chain.kind.name())
}

/// NFTA_RULE_TABLE 1, CHAIN 2, EXPRESSIONS 4.
fn rule_attributes(chain: &Chain, rule: &Rule) -> Attributes {
    Attributes::default().text(1, TABLE).text(2, chain.name).nest(4, expressions(rule))
}

#[derive(Default)]
struct Builder {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Builder {
    /// Begin and end are not acknowledged; they name the subsystem in the resource id.
    fn edge(&mut self, kind: u16) {
        self.append(kind, REQUEST, UNSPECIFIED, SUBSYSTEM, &[]);
    }

    /// `nlmsghdr ‖ nfgenmsg { family, version 0, resource id } ‖ attributes`.
    fn append(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) {
        const HEADERS: usize = 16 + 4;
        let length = u32::try_from(HEADERS + attributes.len()).expect("rules are far shorter than 4 GiB");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes()); // the kernel's port
        self.bytes.extend_from_slice(&[family, 0]);
        self.bytes.extend_from_slice(&resource.to_be_bytes());
        self.bytes.extend_from_slice(attributes);
        self.sequence += 1;
    }
}
