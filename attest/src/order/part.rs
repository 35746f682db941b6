//! A set of peers that does not fit into one order: cut by the owner, put together in PID 1.

use super::{Part, Peer};
use crate::canonical::to_canonical_json;
use crate::config::Cidr;
use crate::digest::Key32;
use crate::peers::Refusal;
use crate::Result;
use std::collections::BTreeMap;

/// Most parts of one set: 10,000 peers with 32 long networks each.
pub const PARTS_LIMIT: u32 = 1024;
/// Bytes of the peers in one part, as canonical JSON. In base64, with signature and seal, they stay below
/// [`super::ORDER_LIMIT`]: `4/3 × (23,800 + 200) + 300` is less than 32 KiB.
const PART_LENGTH: usize = 23_800;

/// Cuts a set into parts that fit. An empty set is one empty part.
pub fn split(peers: &[Peer]) -> Result<Vec<Part>> {
    let mut cut: Vec<Vec<Peer>> = vec![vec![]];
    let mut length = 0;
    for peer in peers {
        let size = to_canonical_json(peer)?.len() + 1;
        if length + size > PART_LENGTH {
            cut.push(vec![]);
            length = 0;
        }
        length += size;
        cut.last_mut().expect("it begins with one part, and grows").push(peer.clone());
    }
    let parts = u32::try_from(cut.len()).unwrap_or(u32::MAX);
    Ok(cut.into_iter().zip(1..).map(|(peers, part)| Part { part, parts, peers }).collect())
}

/// Parts that have come, in PID 1. Anything unexpected drops them all.
#[derive(Debug)]
pub struct Stage {
    most: usize,
    /// Of the set that is coming; 0 while none is.
    parts: u32,
    /// The one to come next.
    next: u32,
    peers: BTreeMap<Key32, Vec<Cidr>>,
}

impl Stage {
    /// For at most this many peers.
    pub fn new(most: usize) -> Self {
        Self { most, parts: 0, next: 1, peers: BTreeMap::new() }
    }

    /// Takes a part; after the last one, gives the whole set. Part 1 always begins anew.
    ///
    /// # Errors
    /// For a part out of order, a peer that is named twice, or too many peers; nothing is kept then.
    pub fn take(&mut self, part: Part) -> std::result::Result<Option<BTreeMap<Key32, Vec<Cidr>>>, Refusal> {
        let taken = self.stage(part);
        if !matches!(taken, Ok(None)) {
            self.clear();
        }
        taken
    }

    fn stage(&mut self, part: Part) -> std::result::Result<Option<BTreeMap<Key32, Vec<Cidr>>>, Refusal> {
        if part.part == 1 {
            self.clear();
            self.parts = part.parts;
        }
        if (part.part, part.parts) != (self.next, self.parts) {
            return Err(Refusal("sync-order"));
        }
        for peer in part.peers {
            if self.peers.len() >= self.most {
                return Err(Refusal("peer-full"));
            }
            if self.peers.insert(peer.peer, peer.allowed_ips).is_some() {
                return Err(Refusal("peer-twice"));
            }
        }
        self.next += 1;
        Ok((part.part == part.parts).then(|| std::mem::take(&mut self.peers)))
    }

    /// Forgets what has come.
    pub fn clear(&mut self) {
        self.peers.values_mut().for_each(|networks| crate::peers::wipe(networks));
        *self = Self::new(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> Peer {
        let mut key = [1; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        Peer {
            peer: Key32(key),
            allowed_ips: vec![Cidr { address: (0x0a00_0000 + n).to_be_bytes().into(), prefix: 32 }],
        }
    }

    fn part(part: u32, parts: u32, peers: &[u32]) -> Part {
        Part { part, parts, peers: peers.iter().map(|n| peer(*n)).collect() }
    }

    #[test]
    fn whole_after_the_last_part() {
        let mut stage = Stage::new(3);
        assert_eq!(stage.take(part(1, 2, &[3, 1])), Ok(None));
        let whole = stage.take(part(2, 2, &[2])).unwrap().unwrap();
        assert_eq!(whole.into_keys().collect::<Vec<_>>(), [peer(1).peer, peer(2).peer, peer(3).peer]);
        assert_eq!(stage.take(part(1, 1, &[])), Ok(Some(BTreeMap::new())), "an empty set");
    }

    #[test]
    fn anything_unexpected_drops_all_parts() {
        let after = |first: Part, second: Part| {
            let mut stage = Stage::new(3);
            assert_eq!(stage.take(first), Ok(None));
            let refused = stage.take(second).unwrap_err().0;
            assert_eq!(stage.take(part(2, 2, &[2])), Err(Refusal("sync-order")), "something was kept");
            refused
        };
        assert_eq!(after(part(1, 3, &[1]), part(3, 3, &[2])), "sync-order");
        assert_eq!(after(part(1, 3, &[1]), part(2, 2, &[2])), "sync-order");
        assert_eq!(after(part(1, 2, &[1]), part(2, 2, &[1])), "peer-twice");
        assert_eq!(after(part(1, 2, &[1, 2]), part(2, 2, &[3, 4])), "peer-full");
        assert_eq!(Stage::new(3).take(part(2, 2, &[1])), Err(Refusal("sync-order")));
    }

    #[test]
    fn part_one_begins_anew() {
        let mut stage = Stage::new(2);
        assert_eq!(stage.take(part(1, 2, &[1, 2])), Ok(None));
        assert_eq!(stage.take(part(1, 2, &[3])), Ok(None));
        assert_eq!(stage.take(part(2, 2, &[4])).unwrap().unwrap().len(), 2);
    }

    #[test]
    fn ten_thousand_peers_come_in_few_parts() {
        let peers: Vec<Peer> = (0..10_000).map(peer).collect();
        let parts = split(&peers).unwrap();
        assert!(parts.len() < 60, "{} parts", parts.len());
        let mut stage = Stage::new(10_000);
        let (last, first) = parts.split_last().unwrap();
        first.iter().for_each(|part| assert_eq!(stage.take(part.clone()), Ok(None)));
        assert_eq!(stage.take(last.clone()).unwrap().unwrap().len(), 10_000);
        assert_eq!(split(&[]).unwrap(), [part(1, 1, &[])]);
    }
}
