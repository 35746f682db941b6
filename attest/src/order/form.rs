//! What an order says.

use super::{ALLOWED_IPS_LIMIT, PARTS_LIMIT, VERSION};
use crate::config::Cidr;
use crate::digest::Key32;
use crate::Sha256;
use serde::{Deserialize, Serialize};

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub v: u32,
    /// Greater than that of every order before it in this boot. `vitrine-verify peers` takes the time in nanoseconds.
    pub seq: u64,
    pub op: Operation,
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Adds the peer, or gives a known peer these networks instead of its former ones.
    Add(Peer),
    /// Removes the peer; an unknown one is no error.
    Remove(Key32),
    /// Asks whether the peer is configured, and whether it is online.
    Has(Key32),
    /// Asks for a [`commitment`](fn@super::commitment) to all peers, with this salt of 32 random bytes.
    Commit(Sha256),
    /// From now on the server hands out the bytes with this SHA-256 beside its evidence, once somebody has brought them to its
    /// agent; none: it hands out nothing. See [`crate::attachments`].
    Attach(Option<Sha256>),
    /// One part of a complete set of peers. After the last one the server holds exactly that set.
    Sync(Part),
}

/// A peer with the networks it may use as source.
///
/// ```json
/// {"allowed_ips":["10.66.0.7/32","fd66::7/128"],"peer":"…="}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// WireGuard public key.
    pub peer: Key32,
    /// 1 to [`ALLOWED_IPS_LIMIT`].
    pub allowed_ips: Vec<Cidr>,
}

/// Parts come in order, 1 first, and none but the only one is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// 1 to `parts`.
    pub part: u32,
    /// 1 to [`PARTS_LIMIT`].
    pub parts: u32,
    pub peers: Vec<Peer>,
}

impl Order {
    /// Why this order cannot be carried out by anybody, if so.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.v != VERSION {
            return Some("unknown version");
        }
        match &self.op {
            Operation::Add(peer) => peer.problem(),
            Operation::Remove(key) | Operation::Has(key) => key_problem(key),
            Operation::Commit(_) | Operation::Attach(_) => None,
            Operation::Sync(part) => part.problem(),
        }
    }
}

impl Peer {
    fn problem(&self) -> Option<&'static str> {
        match self.allowed_ips.len() {
            0 => Some("no network to allow"),
            1..=ALLOWED_IPS_LIMIT => key_problem(&self.peer),
            _ => Some("too many networks"),
        }
    }
}

impl Part {
    fn problem(&self) -> Option<&'static str> {
        if !(1..=PARTS_LIMIT).contains(&self.parts) || !(1..=self.parts).contains(&self.part) {
            return Some("no such part");
        }
        if self.peers.is_empty() && self.parts != 1 {
            return Some("an empty part");
        }
        self.peers.iter().find_map(Peer::problem)
    }
}

fn key_problem(key: &Key32) -> Option<&'static str> {
    (*key == Key32([0; 32])).then_some("the peer's key is all zero")
}
