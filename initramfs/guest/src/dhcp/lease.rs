//! What a server grants.

use super::wire::{code, Reply};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vitrine_attest::config::Cidr;

/// Shorter leases are treated as this long: a server must not make us renew every second.
const SHORTEST: Duration = Duration::from_secs(60);
/// When the server names no time, which it must (§4.3.1).
const DEFAULT: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Option<Ipv4Addr>,
    pub server: Ipv4Addr,
    /// From the moment of the request: T1, T2 and the end (§4.4.5). "For ever" (§3.3) is the 136 years that the
    /// number says.
    pub renew: Duration,
    pub rebind: Duration,
    pub end: Duration,
}

impl Lease {
    /// Reads an offer or a grant. `None` when it cannot be used: no server, or an address that is none for a host.
    pub fn from_reply(reply: &Reply<'_>) -> Option<Self> {
        let server = reply.address(code::SERVER).filter(|server| is_host(*server))?;
        let gateway = reply.address(code::ROUTER).filter(|router| is_host(*router));
        let prefix = reply.address(code::SUBNET_MASK).map_or(Some(32), prefix_of)?;
        let time = |code| reply.seconds(code).map(|seconds| Duration::from_secs(seconds.into()));
        let end = time(code::LEASE_TIME).unwrap_or(DEFAULT).max(SHORTEST);
        let rebind = time(code::REBINDING_TIME).unwrap_or(end / 8 * 7).clamp(SHORTEST / 2, end);
        let renew = time(code::RENEWAL_TIME).unwrap_or(end / 2).clamp(SHORTEST / 2, rebind);
        let lease = Self { address: reply.yours, prefix, gateway, server, renew, rebind, end };
        is_host(reply.yours).then_some(lease)
    }

    pub fn cidr(&self) -> Cidr {
        Cidr { address: IpAddr::V4(self.address), prefix: self.prefix }
    }
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
