//! What a server grants.

use dhcproto::v4::{DhcpOption, Message, OptionCode};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vitrine_attest::config::Cidr;

/// Shorter leases are treated as this long: a server must not make us renew every second.
const SHORTEST: Duration = Duration::from_secs(60);
/// §3.3: this many seconds mean for ever; taken as 136 years, which is what the number says.
const DEFAULT_SECONDS: u32 = 3600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Option<Ipv4Addr>,
    pub server: Ipv4Addr,
    /// From the moment of the request: T1, T2 and the end (§4.4.5).
    pub renew: Duration,
    pub rebind: Duration,
    pub end: Duration,
}

impl Lease {
    /// Reads an OFFER or ACK. `None` when it cannot be used: no server, or an address that is none for a host.
    pub fn from_message(message: &Message) -> Option<Self> {
        let address = message.yiaddr();
        let Some(DhcpOption::ServerIdentifier(server)) = option(message, OptionCode::ServerIdentifier) else {
            return None;
        };
        let gateway = match option(message, OptionCode::Router) {
            Some(DhcpOption::Router(routers)) => routers.first().copied().filter(|router| is_host(*router)),
            _ => None,
        };
        let prefix = match option(message, OptionCode::SubnetMask) {
            Some(DhcpOption::SubnetMask(mask)) => prefix_of(*mask)?,
            _ => 32,
        };
        let seconds = match option(message, OptionCode::AddressLeaseTime) {
            Some(DhcpOption::AddressLeaseTime(seconds)) => *seconds,
            _ => DEFAULT_SECONDS,
        };
        let end = Duration::from_secs(seconds.into()).max(SHORTEST);
        let rebind = match option(message, OptionCode::Rebinding) {
            Some(DhcpOption::Rebinding(seconds)) => Duration::from_secs((*seconds).into()).min(end),
            _ => end / 8 * 7,
        };
        let renew = match option(message, OptionCode::Renewal) {
            Some(DhcpOption::Renewal(seconds)) => Duration::from_secs((*seconds).into()),
            _ => end / 2,
        };
        let lease = Self { address, prefix, gateway, server: *server, renew: renew.min(rebind), rebind, end };
        (is_host(address) && is_host(*server)).then_some(lease)
    }

    pub fn cidr(&self) -> Cidr {
        Cidr { address: IpAddr::V4(self.address), prefix: self.prefix }
    }
}

fn option(message: &Message, code: OptionCode) -> Option<&DhcpOption> {
    message.opts().get(code)
}

/// An address a single host can have.
fn is_host(address: Ipv4Addr) -> bool {
    let reserved = address.octets()[0] == 0 || address.octets()[0] >= 240;
    !(reserved || address.is_loopback() || address.is_multicast() || address.is_link_local())
}

/// Length of a mask whose ones are all on the left.
fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    (bits.leading_ones() == bits.count_ones()).then_some(bits.leading_ones() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        assert_eq!(prefix_of(Ipv4Addr::new(255, 255, 252, 0)), Some(22));
        assert_eq!(prefix_of(Ipv4Addr::new(0, 0, 0, 0)), Some(0));
        assert_eq!(prefix_of(Ipv4Addr::new(255, 0, 255, 0)), None);
    }

    #[test]
    fn hosts() {
        assert!(is_host(Ipv4Addr::new(10, 0, 2, 15)));
        for bad in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4], [169, 254, 0, 1], [0, 1, 2, 3]] {
            assert!(!is_host(Ipv4Addr::from(bad)), "{bad:?}");
        }
    }
}
