//! Orders from the owner's seal to the peers of an interface, which is played by the test.

use super::*;
use crate::stop::Stop;
use ed25519_dalek::SigningKey;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use vitrine_attest::order::{seal_order, split, Order, Reply, VERSION};
use vitrine_attest::Sha256;

/// An interface as the kernel keeps it.
#[derive(Default)]
struct Kernel {
    peers: RefCell<BTreeMap<Key32, Vec<Cidr>>>,
    /// Works this many times more.
    patience: Cell<Option<usize>>,
}

impl Kernel {
    fn works(&self) -> Step {
        match self.patience.get() {
            Some(0) => Err(Stop("full")),
            left => {
                self.patience.set(left.map(|n| n - 1));
                Ok(())
            }
        }
    }
}

impl Interfaces for Kernel {
    fn add_peer(&self, peer: &Key32, networks: &[Cidr]) -> Step {
        self.works()?;
        self.peers.borrow_mut().insert(*peer, networks.to_vec());
        Ok(())
    }
    fn remove_peer(&self, peer: &Key32) -> Step {
        self.works()?;
        self.peers.borrow_mut().remove(peer);
        Ok(())
    }
    fn online(&self, peer: &Key32) -> Step<bool> {
        self.works()?;
        Ok(peer.0[0] == 7)
    }
}

/// Owner, server and kernel.
struct Stand {
    owner: SigningKey,
    orders: Orders,
    kernel: Kernel,
    seq: u64,
}

impl Stand {
    fn new() -> Self {
        let owner = SigningKey::from_bytes(&[1; 32]);
        let channel = KeyPair::generate().unwrap();
        let tunnel = ["10.66.0.1/16", "fd66::1/64"].map(|text| text.parse().unwrap()).to_vec();
        let peers = Peers::new(Key32([9; 32]), tunnel, 10_000);
        let orders = Orders::new(channel, Some(Key32(owner.verifying_key().to_bytes())), peers);
        Self { owner, orders, kernel: Kernel::default(), seq: 0 }
    }

    fn seal(&self, op: Operation) -> (Vec<u8>, Reply) {
        let order = Order { v: VERSION, seq: self.seq, op };
        let sealed = seal_order(&order, &self.owner, &self.orders.channel.public).unwrap();
        (sealed.bytes, sealed.reply)
    }

    fn give(&mut self, op: Operation) -> Answer {
        self.seq += 1;
        let (bytes, reply) = self.seal(op);
        match self.orders.take(&bytes, &self.kernel) {
            ToAgent::Answer(sealed) => reply.open(&sealed).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn code(&mut self, op: Operation) -> String {
        self.give(op).code.unwrap_or_default()
    }

    fn sync(&mut self, peers: &[Peer]) -> Answer {
        let mut last = Answer::done();
        for part in split(peers).unwrap() {
            assert_eq!(last, Answer::done());
            last = self.give(Operation::Sync(part));
        }
        last
    }

    /// What the kernel has is what PID 1 thinks it has.
    fn agree(&self) {
        let known: BTreeMap<Key32, Vec<Cidr>> =
            self.orders.peers.each().map(|(key, networks)| (*key, networks.to_vec())).collect();
        assert_eq!(*self.kernel.peers.borrow(), known);
    }
}

fn peer(n: u32) -> Peer {
    let mut key = [7; 32];
    key[1..5].copy_from_slice(&n.to_be_bytes());
    let address = (0x0a42_0100 + n).to_be_bytes();
    Peer { peer: Key32(key), allowed_ips: vec![Cidr { address: address.into(), prefix: 32 }] }
}

#[test]
fn add_has_remove() {
    let mut stand = Stand::new();
    assert_eq!(stand.give(Operation::Add(peer(1))), Answer::done());
    let has = |has, online| Answer { has: Some(has), online: Some(online), ..Answer::done() };
    assert_eq!(stand.give(Operation::Has(peer(1).peer)), has(true, true));
    assert_eq!(stand.give(Operation::Has(peer(2).peer)), has(false, false));
    stand.agree();
    assert_eq!(stand.give(Operation::Remove(peer(1).peer)), Answer::done());
    assert_eq!(stand.give(Operation::Remove(peer(1).peer)), Answer::done());
    assert_eq!(stand.give(Operation::Has(peer(1).peer)), has(false, false));
    stand.agree();
}

#[test]
fn refusals_are_sealed_and_change_nothing() {
    let mut stand = Stand::new();
    stand.give(Operation::Add(peer(1)));
    assert_eq!(stand.code(Operation::Add(Peer { peer: Key32([8; 32]), ..peer(1) })), "overlap");
    assert_eq!(stand.code(Operation::Add(Peer { peer: Key32([9; 32]), ..peer(2) })), "own-key");
    stand.kernel.patience.set(Some(0));
    assert_eq!(stand.code(Operation::Add(peer(2))), "kernel");
    assert_eq!(stand.code(Operation::Remove(peer(1).peer)), "kernel");
    assert_eq!(stand.orders.peers.len(), 1);
    stand.agree();
    let (bytes, reply) = stand.seal(Operation::Has(peer(1).peer));
    let ToAgent::Answer(sealed) = stand.orders.take(&bytes, &stand.kernel) else { panic!("not sealed") };
    assert_eq!(reply.open(&sealed).unwrap().code.as_deref(), Some("order-replay"));
}

#[test]
fn only_the_owner_attaches() {
    let mut stand = Stand::new();
    let papers = Some(Sha256::of(b"papers"));
    assert_eq!(stand.orders.attached(), None);
    assert_eq!(stand.give(Operation::Attach(papers)), Answer::done());
    assert_eq!(stand.orders.attached(), papers);
    // the same order again, a stranger's, and one that says nothing of it
    let (bytes, _) = stand.seal(Operation::Attach(None));
    stand.orders.take(&bytes, &stand.kernel);
    stand.seq += 1;
    let owner = std::mem::replace(&mut stand.owner, SigningKey::from_bytes(&[2; 32]));
    let (bytes, reply) = stand.seal(Operation::Attach(None));
    let ToAgent::Answer(sealed) = stand.orders.take(&bytes, &stand.kernel) else { panic!("not sealed") };
    assert_eq!(reply.open(&sealed).unwrap().code.as_deref(), Some("order-not-owner"));
    stand.owner = owner;
    stand.give(Operation::Has(peer(1).peer));
    assert_eq!(stand.orders.attached(), papers);
    // parts that are coming are not disturbed
    let part = |part, n| Operation::Sync(Part { part, parts: 2, peers: vec![peer(n)] });
    assert_eq!(stand.code(part(1, 2)), "");
    assert_eq!(stand.give(Operation::Attach(None)), Answer::done());
    assert_eq!(stand.orders.attached(), None);
    assert_eq!(stand.code(part(2, 3)), "");
    assert_eq!(stand.orders.peers.len(), 2);
}

#[test]
fn what_cannot_be_opened_is_refused_in_clear() {
    let mut stand = Stand::new();
    let refused = |code: &str| ToAgent::Refused(code.into());
    assert_eq!(stand.orders.take(b"", &stand.kernel), refused("order-size"));
    assert_eq!(stand.orders.take(&[7; 99], &stand.kernel), refused("order-unsealed"));
    stand.orders.owner = None;
    assert_eq!(stand.orders.take(&[7; 99], &stand.kernel), refused("no-owner"));
}

#[test]
fn a_set_is_applied_as_a_difference() {
    let mut stand = Stand::new();
    let first: Vec<Peer> = (1..=1000).map(peer).collect();
    let changes = |added, removed, unchanged| Some(Changes { added, removed, unchanged });
    assert_eq!(stand.sync(&first).changes, changes(1000, 0, 0));
    stand.agree();
    assert_eq!(stand.sync(&first).changes, changes(0, 0, 1000));
    // 1 takes the network of 2, which goes; 3 stays; 2000 is new
    let second = [Peer { peer: peer(1).peer, ..peer(2) }, peer(3), peer(2000)];
    assert_eq!(stand.sync(&second).changes, changes(2, 999, 1));
    stand.agree();
    assert_eq!(stand.sync(&[]).changes, changes(0, 3, 0));
    assert!(stand.kernel.peers.borrow().is_empty());
}

#[test]
fn ten_thousand_peers_in_parts() {
    let mut stand = Stand::new();
    let all: Vec<Peer> = (0..10_000).map(peer).collect();
    assert_eq!(stand.sync(&all).changes.unwrap().added, 10_000);
    stand.agree();
    assert_eq!(stand.code(Operation::Add(peer(10_000))), "peer-full");
    let salt = Sha256([3; 32]);
    let expected = commitment(&salt, all.iter().map(|peer| (&peer.peer, peer.allowed_ips.as_slice())));
    assert_eq!(stand.give(Operation::Commit(salt)).commitment, Some(expected));
}

#[test]
fn parts_that_are_not_a_set_change_nothing() {
    let mut stand = Stand::new();
    stand.give(Operation::Add(peer(1)));
    let part = |part, parts, peers: &[u32]| {
        Operation::Sync(Part { part, parts, peers: peers.iter().map(|n| peer(*n)).collect() })
    };
    assert_eq!(stand.code(part(2, 2, &[2])), "sync-order");
    assert_eq!(stand.code(part(1, 3, &[2])), "");
    assert_eq!(stand.code(part(3, 3, &[3])), "sync-order");
    assert_eq!(stand.code(part(2, 3, &[3])), "sync-order", "dropped");
    // another change in between
    assert_eq!(stand.code(part(1, 2, &[2])), "");
    assert_eq!(stand.code(Operation::Add(peer(4))), "");
    assert_eq!(stand.code(part(2, 2, &[3])), "sync-order");
    assert_eq!(stand.orders.peers.len(), 2);
    // a question in between is none
    assert_eq!(stand.code(part(1, 2, &[2])), "");
    assert_eq!(stand.code(Operation::Has(peer(1).peer)), "");
    assert_eq!(stand.code(part(2, 2, &[3])), "");
    assert_eq!(stand.orders.peers.len(), 2);
    stand.agree();
}

#[test]
fn a_kernel_that_fails_half_way() {
    let mut stand = Stand::new();
    stand.sync(&(0..20).map(peer).collect::<Vec<_>>());
    stand.kernel.patience.set(Some(15));
    let refused = stand.sync(&(10..40).map(peer).collect::<Vec<_>>());
    assert_eq!(refused.code.as_deref(), Some("kernel"));
    stand.agree();
    stand.kernel.patience.set(None);
    let wanted: Vec<Peer> = (10..40).map(peer).collect();
    assert_eq!(stand.sync(&wanted).code, None);
    assert_eq!(stand.orders.peers.len(), 30);
    stand.agree();
}

#[test]
fn commitments_follow_the_peers() {
    let mut stand = Stand::new();
    let salt = Sha256([3; 32]);
    let ask = |stand: &mut Stand| stand.give(Operation::Commit(salt)).commitment.unwrap();
    let empty = ask(&mut stand);
    stand.give(Operation::Add(peer(1)));
    let one = ask(&mut stand);
    stand.give(Operation::Add(Peer { peer: peer(1).peer, ..peer(2) }));
    let changed = ask(&mut stand);
    stand.give(Operation::Remove(peer(1).peer));
    assert!(empty != one && one != changed && changed != empty);
    assert_eq!(ask(&mut stand), empty);
}
