//! Addresses and routes of the outer interface, from DHCP or from the configuration.

use crate::dhcp::lease::Lease;
use crate::dhcp::machine::{Action, Machine, Time};
use crate::dhcp::message::Client;
use crate::dhcp::socket::DhcpSocket;
use crate::net::outer::Outer;
use crate::net::rtnl::{Routing, Use};
use crate::stop::{OrStop as _, Step};
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;
use vitrine_attest::config::{Config, Network};

pub struct Outside {
    routing: Routing,
    outer: Outer,
    started: Instant,
    /// None with a static network.
    dhcp: Option<(Machine, DhcpSocket)>,
    /// Who answers on the outer link: gateways, or the DHCP server of a link without one.
    neighbours: Vec<IpAddr>,
}

impl Outside {
    /// Brings the interface up and gives it its addresses, or asks for them; the answer comes in [`Self::receive`].
    pub fn open(config: &Config, routing: Routing, outer: Outer) -> Step<Self> {
        let started = Instant::now();
        let dhcp = match &config.network {
            Network::Dhcp => Some((Machine::new(client(outer.mac)?, Time::ZERO), DhcpSocket::open()?)),
            Network::Static { .. } => None,
        };
        routing.up(outer.index)?;
        let mut neighbours = Vec::new();
        if let Network::Static { addresses, gateway4, gateway6 } = &config.network {
            addresses.iter().try_for_each(|address| routing.add_address(outer.index, *address, Use::Everywhere))?;
            neighbours.extend(gateway4.map(IpAddr::V4).into_iter().chain(gateway6.map(IpAddr::V6)));
            neighbours.iter().try_for_each(|gateway| routing.set_gateway(outer.index, *gateway))?;
        }
        Ok(Self { routing, outer, started, dhcp, neighbours })
    }

    /// Asks one neighbour whether it is there, another one each `turn`; the answer is a frame that the card receives.
    ///
    /// # Errors
    /// When none is known, or the kernel does not ask: the link is down, for example.
    pub fn probe(&self, turn: usize) -> Step {
        let neighbour = turn.checked_rem(self.neighbours.len()).and_then(|place| self.neighbours.get(place));
        self.routing.probe(self.outer.index, *neighbour.or_stop("no-neighbour")?)
    }

    /// To be polled for reading.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.dhcp.as_ref().map(|(_, socket)| socket.as_fd())
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        self.dhcp.as_ref().map(|(machine, _)| self.started + machine.wake())
    }

    pub fn tick(&mut self) {
        let now = self.started.elapsed();
        let actions = self.dhcp.as_mut().map(|(machine, _)| machine.tick(now));
        self.act(actions.unwrap_or_default());
    }

    /// Takes in one datagram.
    pub fn receive(&mut self) {
        let now = self.started.elapsed();
        let actions = self.dhcp.as_mut().and_then(|(machine, socket)| Some(machine.receive(&socket.receive()?, now)));
        self.act(actions.unwrap_or_default());
    }

    /// What the kernel refuses here (an address that is gone already, a gateway of a link that went down) comes
    /// right with the next lease; there is nobody to tell.
    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, bytes } => {
                    if let Some((_, socket)) = &self.dhcp {
                        socket.send(to, &bytes);
                    }
                }
                Action::Configure(lease) => {
                    self.neighbours = neighbour(&lease).into_iter().collect();
                    let _ = self.routing.add_address(self.outer.index, lease.cidr(), Use::Everywhere);
                    if let Some(gateway) = lease.gateway {
                        let _ = self.routing.set_gateway(self.outer.index, IpAddr::V4(gateway));
                    }
                }
                Action::Remove(lease) => {
                    self.neighbours.clear();
                    let _ = self.routing.remove_address(self.outer.index, lease.cidr());
                }
            }
        }
    }
}

/// The gateway, or the server when it is on the link.
fn neighbour(lease: &Lease) -> Option<IpAddr> {
    let server = IpAddr::V4(lease.server);
    lease.gateway.map(IpAddr::V4).or_else(|| lease.cidr().contains(server).then_some(server))
}

fn client(mac: [u8; 6]) -> Step<Client> {
    let mut xid = [0; 4];
    crate::keys::fill(&mut xid)?;
    Ok(Client { mac, xid: u32::from_ne_bytes(xid) })
}
