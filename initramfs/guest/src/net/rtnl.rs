//! Links, addresses and routes (rtnetlink(7)).

use super::netlink::Netlink;
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::net::IpAddr;
use vitrine_attest::config::Cidr;

/// The kernel's number of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Index(pub u32);

/// Where an address may be used as source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Anywhere.
    Everywhere,
    /// On its own interface only (scope link). Without it the kernel lends the tunnel's IPv4 address to an outer
    /// interface that has none, so that a DHCP question would show it to the outside, and get no answer.
    Inside,
}

pub struct Routing(Netlink);

impl Routing {
    pub fn open() -> Step<Self> {
        Netlink::open(NETLINK_ROUTE).map(Self)
    }

    /// Gives an interface that is down another name.
    pub fn rename(&self, index: Index, name: &str) -> Step {
        self.set_link(index, |link| link.attributes.push(LinkAttribute::IfName(name.into())))
    }

    /// Creates the tunnel's interface. It is down and has no key.
    pub fn create_wireguard(&self, name: &str, mtu: u16) -> Step<Index> {
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::Mtu(mtu.into()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Wireguard)]),
        ];
        self.0.request(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)?;
        crate::net::outer::index_of(name).or_stop("wg0")
    }

    pub fn up(&self, index: Index) -> Step {
        self.set_link(index, |link| {
            link.header.flags = LinkFlags::Up;
            link.header.change_mask = LinkFlags::Up;
        })
    }

    fn set_link(&self, index: Index, change: impl FnOnce(&mut LinkMessage)) -> Step {
        let mut link = LinkMessage::default();
        link.header.index = index.0;
        change(&mut link);
        self.0.request(RouteNetlinkMessage::SetLink(link), 0)
    }

    pub fn add_address(&self, index: Index, cidr: Cidr, used: Use) -> Step {
        let mut message = address(index, cidr);
        if used == Use::Inside {
            message.header.scope = AddressScope::Link;
        }
        self.0.request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    pub fn remove_address(&self, index: Index, cidr: Cidr) -> Step {
        self.0.request(RouteNetlinkMessage::DelAddress(address(index, cidr)), 0)
    }

    /// Sends everything else to this gateway. It is taken as on-link, also when it lies outside the interface's
    /// own network, as with the /32 addresses of some clouds.
    pub fn set_gateway(&self, index: Index, gateway: IpAddr) -> Step {
        self.0.request(RouteNetlinkMessage::NewRoute(default_route(index, gateway)), NLM_F_CREATE | NLM_F_REPLACE)
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn address(index: Index, cidr: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(cidr.address);
    message.header.prefix_len = cidr.prefix;
    message.header.scope = AddressScope::Universe;
    message.header.index = index.0;
    message.attributes = vec![AddressAttribute::Local(cidr.address), AddressAttribute::Address(cidr.address)];
    message
}

fn default_route(index: Index, gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(gateway),
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        flags: RouteFlags::Onlink,
        ..RouteHeader::default()
    };
    message.attributes = vec![RouteAttribute::Gateway(RouteAddress::from(gateway)), RouteAttribute::Oif(index.0)];
    message
}
