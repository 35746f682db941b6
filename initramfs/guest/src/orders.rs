//! The owner's orders, carried out.

use crate::agent::message::ToAgent;
use crate::keys::KeyPair;
use crate::net::wireguard::Tunnel;
use crate::peers::Peers;
use vitrine_attest::digest::Key32;
use vitrine_attest::order::{self, Operation, Order};

/// Everything an order may change.
pub struct Orders {
    /// To whom orders are sealed.
    pub channel: KeyPair,
    /// From whom they come; without an owner none is taken.
    pub owner: Option<Key32>,
    pub peers: Peers,
    pub tunnel: Tunnel,
    /// Of the last order that was opened; 0 before the first.
    pub last_seq: u64,
}

impl Orders {
    /// Opens, checks and carries out one order. An order that was opened is used up, also when it is then refused.
    pub fn take(&mut self, sealed: &[u8]) -> ToAgent {
        let Some(owner) = &self.owner else {
            return ToAgent::Refused("no-owner");
        };
        match order::open(sealed, &self.channel.secret(), owner, self.last_seq) {
            Err(refusal) => ToAgent::Refused(refusal.code()),
            Ok(order) => {
                self.last_seq = order.seq;
                self.carry_out(order)
            }
        }
    }

    fn carry_out(&mut self, order: Order) -> ToAgent {
        match order.op {
            Operation::Add => self.add(order),
            Operation::Remove => self.remove(&order.peer),
        }
    }

    fn add(&mut self, order: Order) -> ToAgent {
        if let Err(refusal) = self.peers.check(&order.peer, &order.allowed_ips) {
            return ToAgent::Refused(refusal.0);
        }
        if self.tunnel.add_peer(&order.peer, &order.allowed_ips).is_err() {
            return ToAgent::Refused("kernel");
        }
        self.peers.added(order.peer, order.allowed_ips);
        ToAgent::Accepted
    }

    fn remove(&mut self, peer: &Key32) -> ToAgent {
        if self.tunnel.remove_peer(peer).is_err() {
            return ToAgent::Refused("kernel");
        }
        self.peers.removed(peer);
        ToAgent::Accepted
    }
}
