//! Links, addresses and routes (rtnetlink(7)).

use super::netlink::Netlink;
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use rustix::net::netdevice::name_to_index;
use rustix::net::{socket, SocketType};
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
    ///
    /// And without a route to the network around it: several tunnels have the same addresses, so their routes are
    /// set one by one.
    Inside,
}

/// A routing table by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table(pub u8);

impl Table {
    pub const MAIN: Self = Self(RouteHeader::RT_TABLE_MAIN);
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
        self.index_of(name)
    }

    /// Number of an interface by name, also when /sys is not mounted any more.
    pub fn index_of(&self, name: &str) -> Step<Index> {
        let socket = socket(rustix::net::AddressFamily::INET, SocketType::DGRAM, None).or_stop("interface")?;
        name_to_index(socket, name).or_stop("interface").map(Index)
    }

    /// Deletes an interface: its key, its peers, its addresses and its routes go with it.
    pub fn delete(&self, index: Index) -> Step {
        let mut link = LinkMessage::default();
        link.header.index = index.0;
        self.0.request(RouteNetlinkMessage::DelLink(link), 0)
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
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
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

    /// Sends the network around an address of ours to an interface; a route of the table to another one is replaced.
    pub fn set_network(&self, index: Index, cidr: Cidr, table: Table) -> Step {
        self.0.request(RouteNetlinkMessage::NewRoute(network(index, cidr, table)), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Any other message of this family.
    pub fn request(&self, message: RouteNetlinkMessage, flags: u16) -> Step {
        self.0.request(message, flags)
    }
}

pub fn family(address: IpAddr) -> AddressFamily {
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

fn network(index: Index, cidr: Cidr, table: Table) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(cidr.address),
        destination_prefix_length: cidr.prefix,
        table: table.0,
        protocol: RouteProtocol::Boot,
        scope: if cidr.address.is_ipv4() { RouteScope::Link } else { RouteScope::Universe },
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes =
        vec![RouteAttribute::Destination(RouteAddress::from(first(cidr))), RouteAttribute::Oif(index.0)];
    if cidr.address.is_ipv4() {
        // IPv6 chooses by itself (RFC 6724); IPv4 would take none of scope link for far networks
        message.attributes.push(RouteAttribute::PrefSource(RouteAddress::from(cidr.address)));
    }
    message
}

/// The network's first address: the kernel refuses a destination with host bits.
fn first(cidr: Cidr) -> IpAddr {
    let prefix = u32::from(cidr.prefix);
    match cidr.address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V4((u32::from(address) & !host).into())
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V6((u128::from(address) & !host).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::{run, Space};
    use super::*;

    #[test]
    fn networks_begin_at_their_first_address() {
        for (text, expected) in [
            ("10.66.3.7/22", "10.66.0.0"),
            ("10.66.0.1/32", "10.66.0.1"),
            ("1.2.3.4/0", "0.0.0.0"),
            ("fd66::1/64", "fd66::"),
        ] {
            assert_eq!(first(text.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{text}");
        }
        assert_eq!(first("::1/128".parse().unwrap()), "::1".parse::<IpAddr>().unwrap());
    }

    /// The kernel of this machine judges; Ethernet pairs stand in for the tunnels.
    #[test]
    fn two_interfaces_with_the_same_addresses() {
        let Some(_space) = Space::new() else { return };
        run("ip link add wg0 type veth peer name wg1");
        let routing = Routing::open().unwrap();
        let tunnels = ["wg0", "wg1"].map(|name| routing.index_of(name).unwrap());
        let networks: [Cidr; 2] = ["10.66.0.1/24", "fd66::1/64"].map(|text| text.parse().unwrap());
        for (index, table) in tunnels.into_iter().zip([100, 101]) {
            for network in networks {
                routing.add_address(index, network, Use::Inside).unwrap();
            }
            routing.up(index).unwrap();
            networks.iter().for_each(|network| routing.set_network(index, *network, Table(table)).unwrap());
        }
        let main = |index| networks.iter().for_each(|to| routing.set_network(index, *to, Table::MAIN).unwrap());
        main(tunnels[0]);
        main(tunnels[1]);
        assert_eq!(run("ip -4 route").trim(), "10.66.0.0/24 dev wg1 scope link src 10.66.0.1");
        let ours = |text: &str| text.lines().filter(|line| line.starts_with("fd66::/64")).map(str::to_owned).collect();
        let lines: Vec<String> = ours(&run("ip -6 route"));
        assert!(lines.len() == 1 && lines[0].contains("dev wg1"), "{lines:?}");
        assert_eq!(run("ip -4 route show table 100").trim(), "10.66.0.0/24 dev wg0 scope link src 10.66.0.1");
        assert_eq!(ours(&run("ip -6 route show table 101")).len(), 1);

        routing.delete(tunnels[1]).unwrap();
        assert!(routing.index_of("wg1").is_err());
        assert_eq!(run("ip -4 route").trim(), "", "its routes are gone");
    }
}
