//! PID 1 of the mock server, as far as orders go: the same rules as in the image, an interface that always works.

use super::{SigningKey, CHANNEL_SECRET};
use vitrine_attest::digest::Key32;
use vitrine_attest::order::{self, commitment, Answer, Operation, Stage};
use vitrine_attest::peers::{Peers, Refusal};
use vitrine_attest::Sha256;

pub struct Pid1 {
    owner: Key32,
    pub peers: Peers,
    stage: Stage,
    last_seq: u64,
    /// Every order that was taken.
    pub orders: Vec<Operation>,
    /// What its agent hands out, by digest.
    pub attached: Option<Sha256>,
}

impl Pid1 {
    pub fn new(owner: &SigningKey, most: usize) -> Self {
        let tunnel = ["10.66.0.1/24", "fd66::1/64"].map(|text| text.parse().unwrap()).to_vec();
        Self {
            owner: Key32(owner.verifying_key().to_bytes()),
            peers: Peers::new(Key32([0x57; 32]), tunnel, most),
            stage: Stage::new(most),
            last_seq: 0,
            orders: vec![],
            attached: None,
        }
    }

    /// The sealed answer, or the code of a refusal in clear.
    pub fn take(&mut self, sealed: &[u8]) -> Result<Vec<u8>, &'static str> {
        let opened = order::open(sealed, &CHANNEL_SECRET, &self.owner, self.last_seq).map_err(|r| r.code())?;
        let answer = match opened.order {
            Err(refusal) => Answer::refused(refusal.code()),
            Ok(order) => {
                self.last_seq = order.seq;
                self.orders.push(order.op.clone());
                self.carry_out(order.op).unwrap_or_else(|refusal| Answer::refused(refusal.0))
            }
        };
        Ok(opened.responder.seal(&answer).unwrap())
    }

    fn carry_out(&mut self, op: Operation) -> Result<Answer, Refusal> {
        let mut answer = Answer::done();
        match op {
            Operation::Add(peer) => {
                self.peers.check(&peer.peer, &peer.allowed_ips)?;
                self.peers.added(peer.peer, peer.allowed_ips);
            }
            Operation::Remove(peer) => self.peers.removed(&peer),
            Operation::Has(peer) => {
                let has = self.peers.networks(&peer).is_some();
                (answer.has, answer.online) = (Some(has), Some(has && peer.0[0] == 7));
            }
            Operation::Attach(digest) => self.attached = digest,
            Operation::Commit(salt) => answer.commitment = Some(commitment(&salt, self.peers.each())),
            Operation::Sync(part) => {
                let Some(wanted) = self.stage.take(part)? else { return Ok(answer) };
                let difference = self.peers.difference(&wanted)?;
                answer.changes = Some(difference.changes);
                difference.remove.iter().for_each(|peer| self.peers.removed(peer));
                difference.add.into_iter().for_each(|(peer, networks)| self.peers.added(peer, networks));
            }
        }
        Ok(answer)
    }
}
