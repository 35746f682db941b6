//! The owner's orders, carried out.

use crate::keys::KeyPair;
use crate::peers::Peers;
use crate::stop::Step;
use crate::tunnels::Tunnels;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_attest::inside::ToAgent;
use vitrine_attest::order::{self, commitment, Answer, Changes, Operation, Part, Peer, Stage};
use vitrine_attest::peers::{wipe, Refusal};
use vitrine_attest::Sha256;

/// The kernel would not do it.
const KERNEL: Refusal = Refusal("kernel");

/// Where peers take effect: every live interface of the server.
pub trait Interfaces {
    /// Adds the peer, or gives it these networks instead of its former ones.
    fn add_peer(&self, peer: &Key32, networks: &[Cidr]) -> Step;
    fn remove_peer(&self, peer: &Key32) -> Step;
    fn online(&self, peer: &Key32) -> Step<bool>;
}

impl Interfaces for Tunnels {
    fn add_peer(&self, peer: &Key32, networks: &[Cidr]) -> Step {
        Tunnels::add_peer(self, peer, networks)
    }
    fn remove_peer(&self, peer: &Key32) -> Step {
        Tunnels::remove_peer(self, peer)
    }
    fn online(&self, peer: &Key32) -> Step<bool> {
        Tunnels::online(self, peer)
    }
}

/// Everything an order may change, besides the interfaces.
pub struct Orders {
    /// To whom orders are sealed.
    pub channel: KeyPair,
    /// From whom they come; without an owner none is taken.
    pub owner: Option<Key32>,
    pub peers: Peers,
    /// Parts of a set that is coming.
    stage: Stage,
    /// Of the last order that was taken; 0 before the first.
    last_seq: u64,
    /// Digest of what the agent shall hand out beside its evidence. The bytes never come here.
    attached: Option<Sha256>,
}

impl Orders {
    /// `most`: of the configuration, as in `peers`.
    pub fn new(channel: KeyPair, owner: Option<Key32>, peers: Peers) -> Self {
        let stage = Stage::new(peers.most());
        Self { channel, owner, peers, stage, last_seq: 0, attached: None }
    }

    /// Opens, checks and carries out one order. An order of the owner is used up, also when it is then refused.
    /// What could be opened is answered in secret.
    pub fn take(&mut self, sealed: &[u8], interfaces: &impl Interfaces) -> ToAgent {
        let Some(owner) = &self.owner else {
            return ToAgent::Refused("no-owner".into());
        };
        let opened = match order::open(sealed, &self.channel.secret(), owner, self.last_seq) {
            Ok(opened) => opened,
            Err(refusal) => return ToAgent::Refused(refusal.code().into()),
        };
        let answer = match opened.order {
            Ok(order) => {
                self.last_seq = order.seq;
                let removes = matches!(order.op, Operation::Remove(_) | Operation::Sync(_));
                let answer = self.carry_out(order.op, interfaces).unwrap_or_else(|refusal| Answer::refused(refusal.0));
                if removes {
                    self.peers.forget_removed();
                }
                answer
            }
            Err(refusal) => Answer::refused(refusal.code()),
        };
        match opened.responder.seal(&answer) {
            Some(bytes) => ToAgent::Answer(bytes),
            // no random numbers: nothing true can be said in secret
            None => ToAgent::Refused("answer".into()),
        }
    }

    /// What the agent has to know before the owner hears that the last order was taken.
    pub fn attached(&self) -> Option<Sha256> {
        self.attached
    }

    fn carry_out(&mut self, op: Operation, interfaces: &impl Interfaces) -> Result<Answer, Refusal> {
        match op {
            Operation::Add(peer) => self.add(peer, interfaces),
            Operation::Remove(peer) => self.remove(&peer, interfaces),
            Operation::Has(peer) => self.has(&peer, interfaces),
            Operation::Commit(salt) => {
                Ok(Answer { commitment: Some(commitment(&salt, self.peers.each())), ..Answer::done() })
            }
            Operation::Sync(part) => self.sync(part, interfaces),
            Operation::Attach(digest) => {
                self.attached = digest;
                Ok(Answer::done())
            }
        }
    }

    /// A set that is coming was made before this change: it is dropped.
    fn add(&mut self, Peer { peer, allowed_ips }: Peer, interfaces: &impl Interfaces) -> Result<Answer, Refusal> {
        self.stage.clear();
        self.peers.check(&peer, &allowed_ips)?;
        interfaces.add_peer(&peer, &allowed_ips).map_err(|_| KERNEL)?;
        self.peers.added(peer, allowed_ips);
        Ok(Answer::done())
    }

    fn remove(&mut self, peer: &Key32, interfaces: &impl Interfaces) -> Result<Answer, Refusal> {
        self.stage.clear();
        interfaces.remove_peer(peer).map_err(|_| KERNEL)?;
        self.peers.removed(peer);
        Ok(Answer::done())
    }

    fn has(&self, peer: &Key32, interfaces: &impl Interfaces) -> Result<Answer, Refusal> {
        let has = self.peers.networks(peer).is_some();
        let online = has && interfaces.online(peer).map_err(|_| KERNEL)?;
        Ok(Answer { has: Some(has), online: Some(online), ..Answer::done() })
    }

    fn sync(&mut self, part: Part, interfaces: &impl Interfaces) -> Result<Answer, Refusal> {
        let Some(mut wanted) = self.stage.take(part)? else { return Ok(Answer::done()) };
        let difference = self.peers.difference(&wanted);
        wanted.values_mut().for_each(|networks| wipe(networks));
        let difference = difference?;
        let changes: Changes = difference.changes;
        // each step in the kernel and here: when one fails, both still say the same
        for peer in &difference.remove {
            interfaces.remove_peer(peer).map_err(|_| KERNEL)?;
            self.peers.removed(peer);
        }
        for (peer, networks) in difference.add {
            interfaces.add_peer(&peer, &networks).map_err(|_| KERNEL)?;
            self.peers.added(peer, networks);
        }
        Ok(Answer { changes: Some(changes), ..Answer::done() })
    }
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
