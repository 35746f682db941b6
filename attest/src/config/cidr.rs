//! An address with its network.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with its prefix length, such as `10.66.0.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Cidr {
    /// One address as a network of its own.
    pub fn host(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether the two networks share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (wide, narrow) = if self.prefix <= other.prefix { (self, other) } else { (other, self) };
        wide.contains(narrow.address)
    }

    /// Whether an address lies in this network.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(a) & mask == u32::from(b) & mask
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(a) & mask == u128::from(b) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (address, prefix) = text
            .split_once('/')
            .ok_or_else(|| format!("\"{text}\" has no prefix length: write it like 10.66.0.1/24"))?;
        let address: IpAddr = address.parse().map_err(|_| format!("\"{address}\" is no IP address"))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        match prefix.parse::<u8>() {
            Ok(n) if n <= longest && n.to_string() == prefix => Ok(Self { address, prefix: n }),
            _ => Err(format!("\"{prefix}\" is no prefix length from 0 to {longest}")),
        }
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let net: Cidr = "10.66.0.1/24".parse().unwrap();
        assert!(net.contains("10.66.0.200".parse().unwrap()) && !net.contains("10.66.1.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("9.9.9.9".parse().unwrap()));
        assert!("::/0".parse::<Cidr>().unwrap().contains("2001:db8::1".parse().unwrap()));
        for bad in ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/024", "x/8", "::1/129", "10.0.0.1/-1"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn overlaps() {
        let net = |text: &str| text.parse::<Cidr>().unwrap();
        assert!(net("10.0.0.0/8").overlaps(&net("10.66.0.1/24")) && net("10.66.0.1/24").overlaps(&net("10.0.0.0/8")));
        assert!(!net("10.0.0.0/8").overlaps(&net("11.0.0.0/8")) && !net("::/0").overlaps(&net("0.0.0.0/0")));
    }
}
