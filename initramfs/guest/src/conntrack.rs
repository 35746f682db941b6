//! Connection tracking forgets the connections of a peer whose session is over (linux/netfilter/nfnetlink_conntrack.h).
//!
//! The table is read once, and each entry that matches is deleted by the very tuple the kernel wrote: other clients'
//! connections live on. The kernel could also look for an address by itself (CTA_FILTER), but it compares IPv6
//! addresses the wrong way round (`!ipv6_addr_cmp` in ctnetlink_filter_match_tuple, Linux 5.8 to at least 6.18) and
//! would delete everybody else's.

use crate::net::attribute::{find, push, push_nested};
use crate::net::netlink::{raw, Netlink};
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};
use netlink_sys::protocols::NETLINK_NETFILTER;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use vitrine_attest::config::{Cidr, Clients, Config};
use zeroize::Zeroizing;

/// NFNL_SUBSYS_CTNETLINK ‖ IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE.
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// `nlmsghdr ‖ nfgenmsg`.
const HEADERS: usize = 16 + 4;

/// enum ctattr_type, ctattr_tuple
const TUPLE_ORIGINAL: u16 = 1;
const ZONE: u16 = 18;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
/// enum ctattr_l4proto
const PROTOCOL_NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
/// IPPROTO_UDP
const UDP: u8 = 17;

/// Bytes of one request: headers and one tuple. It never grows, so that no copy of it stays behind.
const REQUEST: usize = 512;

/// One side of a connection's first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

pub struct Conntrack {
    netlink: Netlink,
    /// Where a client can stand in an entry. Nobody can begin a connection to a client but another client.
    sides: &'static [Side],
}

impl Conntrack {
    pub fn open(config: &Config) -> Step<Self> {
        let sides: &[Side] = match config.firewall.clients {
            Clients::Isolated => &[Side::Source],
            Clients::Together => &[Side::Source, Side::Destination],
        };
        Ok(Self { netlink: Netlink::open(NETLINK_NETFILTER)?, sides })
    }

    /// Deletes every entry that began in one of these networks, or ended there where clients may speak to each other.
    ///
    /// # Errors
    /// When the table could not be read to its end; what was found until then is deleted.
    pub fn forget(&self, networks: &[Cidr]) -> Step {
        if networks.is_empty() {
            return Ok(());
        }
        let sought = Networks::new(networks);
        let question = raw(GET, NLM_F_DUMP, &head(family_of(networks)))?;
        // A socket for this one answer, see `Netlink::dump`
        Netlink::open(NETLINK_NETFILTER)?.dump(&question, |entry| {
            let Some(request) = self.matching(entry, &sought)? else { return Ok(()) };
            // It may have ended by itself meanwhile
            let _ = self.netlink.send(&request, 1);
            Ok(())
        })
    }

    /// Deletes one connection of ours by its first packet. It may have ended by itself meanwhile.
    pub fn end(&self, source: SocketAddr, destination: SocketAddr) -> Step {
        let family = if source.is_ipv4() { INET } else { INET6 };
        let request = exact(family, &datagrams(source, destination)?, None)?;
        let _ = self.netlink.send(&request, 1);
        Ok(())
    }

    /// The request that deletes this entry, when it is sought.
    fn matching(&self, entry: &[u8], sought: &Networks) -> Step<Option<Zeroizing<Vec<u8>>>> {
        let family = *entry.get(HEADERS - 4).or_stop("conntrack")?;
        let body = entry.get(HEADERS..).or_stop("conntrack")?;
        let tuple = find(body, TUPLE_ORIGINAL)?.or_stop("conntrack")?;
        let addresses = find(tuple, TUPLE_IP)?.or_stop("conntrack")?;
        for side in self.sides {
            if sought.contain(address(addresses, family, *side)?) {
                return exact(family, tuple, find(body, ZONE)?).map(Some);
            }
        }
        Ok(None)
    }
}

/// Networks by their first address. None lies inside another one, so an address is in the last that begins before
/// it, or in none.
struct Networks(BTreeMap<IpAddr, Cidr>);

impl Networks {
    fn new(networks: &[Cidr]) -> Self {
        let mut widest_first = networks.to_vec();
        widest_first.sort_unstable_by_key(|network| network.prefix);
        let mut kept = Self(BTreeMap::new());
        for network in widest_first {
            if !kept.contain(network.address) {
                kept.0.insert(network.address, network);
            }
        }
        kept
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.range(..=address).next_back().is_some_and(|(_, network)| network.contains(address))
    }
}

/// enum ctattr_ip
fn kind(ipv4: bool, side: Side) -> u16 {
    match (ipv4, side) {
        (true, Side::Source) => 1,
        (true, Side::Destination) => 2,
        (false, Side::Source) => 3,
        (false, Side::Destination) => 4,
    }
}

/// AF_UNSPEC, which asks for both, AF_INET, AF_INET6.
const ALL: u8 = 0;
const INET: u8 = 2;
const INET6: u8 = 10;

fn family_of(networks: &[Cidr]) -> u8 {
    match (networks.iter().any(|one| one.address.is_ipv4()), networks.iter().any(|one| one.address.is_ipv6())) {
        (true, false) => INET,
        (false, true) => INET6,
        _ => ALL,
    }
}

fn address(addresses: &[u8], family: u8, side: Side) -> Step<IpAddr> {
    let value = find(addresses, kind(family == INET, side))?.or_stop("conntrack")?;
    if family == INET {
        return <[u8; 4]>::try_from(value).or_stop("conntrack").map(|bytes| Ipv4Addr::from(bytes).into());
    }
    <[u8; 16]>::try_from(value).or_stop("conntrack").map(|bytes| Ipv6Addr::from(bytes).into())
}

/// The tuple of UDP between these two.
fn datagrams(source: SocketAddr, destination: SocketAddr) -> Step<Vec<u8>> {
    let (mut addresses, mut ports, mut tuple) = (Vec::new(), Vec::new(), Vec::new());
    for (side, end) in [(Side::Source, source), (Side::Destination, destination)] {
        match end.ip() {
            IpAddr::V4(ip) => push(&mut addresses, kind(true, side), &ip.octets())?,
            IpAddr::V6(ip) => push(&mut addresses, kind(false, side), &ip.octets())?,
        }
    }
    push(&mut ports, PROTOCOL_NUMBER, &[UDP])?;
    push(&mut ports, SOURCE_PORT, &source.port().to_be_bytes())?;
    push(&mut ports, DESTINATION_PORT, &destination.port().to_be_bytes())?;
    push_nested(&mut tuple, TUPLE_IP, &addresses)?;
    push_nested(&mut tuple, TUPLE_PROTOCOL, &ports)?;
    Ok(tuple)
}

/// "Delete this one."
fn exact(family: u8, tuple: &[u8], zone: Option<&[u8]>) -> Step<Zeroizing<Vec<u8>>> {
    (tuple.len() <= REQUEST / 2).then_some(()).or_stop("conntrack")?;
    let mut body = head(family);
    push_nested(&mut body, TUPLE_ORIGINAL, tuple)?;
    if let Some(zone) = zone {
        push(&mut body, ZONE, zone)?;
    }
    raw(DELETE, NLM_F_ACK, &body).map(Zeroizing::new)
}

/// `nfgenmsg`: `family ‖ NFNETLINK_V0 ‖ 0[2]`.
fn head(family: u8) -> Zeroizing<Vec<u8>> {
    let mut body = room();
    body.extend([family, 0, 0, 0]);
    body
}

fn room() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(REQUEST))
}

#[cfg(test)]
mod tests;
