//! The effective configuration: what the recipe's `[config]` says after its parents are merged.
//!
//! It is public, measured and hashed: no secrets, no peers. Sample (`/etc/vitrine/config.json`, canonical JSON):
//! ```json
//! {"attestation":{"port":8787},"forward":"nat","network":{"mode":"dhcp"},
//!  "owner":"Wu0…=","wireguard":{"addresses":["10.66.0.1/24","fd66::1/64"],"mtu":1420,"port":51820}}
//! ```

use crate::canonical::to_canonical_json;
use crate::digest::Key32;
use crate::{Error, Result, Sha256};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub wireguard: WireGuard,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub forward: Forward,
    #[serde(default)]
    pub attestation: Attestation,
    /// Who may add and remove peers: an Ed25519 public key. Without one the server takes no orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Key32>,
}

/// The tunnel's own side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireGuard {
    /// UDP port it listens on.
    #[serde(default = "default_wireguard_port")]
    pub port: u16,
    /// The server's addresses inside the tunnel.
    pub addresses: Vec<Cidr>,
    /// Bytes of one packet inside the tunnel.
    #[serde(default = "default_mtu")]
    pub mtu: u16,
}

/// How the outer interface gets its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum Network {
    #[default]
    Dhcp,
    Static {
        addresses: Vec<Cidr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway4: Option<Ipv4Addr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway6: Option<Ipv6Addr>,
    },
}

/// What happens with packets of the tunnel that are for somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// Dropped.
    None,
    /// Sent on under the server's own address.
    #[default]
    Nat,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// TCP port the agent answers on (HTTP; what it serves is signed, not secret).
    #[serde(default = "default_attestation_port")]
    pub port: u16,
}

impl Default for Attestation {
    fn default() -> Self {
        Self { port: default_attestation_port() }
    }
}

fn default_wireguard_port() -> u16 {
    51820
}
/// 1500 − 40 (IPv6) − 8 (UDP) − 32 (WireGuard).
fn default_mtu() -> u16 {
    1420
}
fn default_attestation_port() -> u16 {
    8787
}

impl Config {
    /// The bytes that go into the image, and that are hashed.
    pub fn canonical(&self) -> Result<Vec<u8>> {
        to_canonical_json(self)
    }

    /// SHA-256 of [`Self::canonical`].
    pub fn digest(&self) -> Result<Sha256> {
        Ok(Sha256::of(&self.canonical()?))
    }

    /// Everything that is wrong, in words; empty when the configuration can be used.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.wireguard.port == 0 {
            problems.push("wireguard.port is 0".into());
        }
        if self.attestation.port == 0 {
            problems.push("attestation.port is 0".into());
        }
        if self.wireguard.addresses.is_empty() {
            problems.push("wireguard.addresses is empty: clients could not reach the server inside the tunnel".into());
        }
        if !(1280..=9000).contains(&self.wireguard.mtu) {
            problems.push(format!(
                "wireguard.mtu is {}, it has to be 1280 (IPv6's minimum, RFC 8200 §5) to 9000",
                self.wireguard.mtu
            ));
        }
        if let Network::Static { addresses, .. } = &self.network {
            if addresses.is_empty() {
                problems.push("network.addresses is empty".into());
            }
        }
        problems
    }

    /// Reads the canonical bytes and nothing else: another spelling of the same configuration is refused.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|e| Error::input(format!("configuration: {e}"), "build the image again with `vitrine build`"))?;
        if config.canonical()? != bytes {
            return Err(Error::input(
                "configuration is not in canonical form",
                "build the image again with `vitrine build`",
            ));
        }
        Ok(config)
    }
}

/// An address with its prefix length, such as `10.66.0.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Cidr {
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

    fn sample() -> Config {
        serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24","fd66::1/64"]}}"#).unwrap()
    }

    #[test]
    fn defaults_are_written_out() {
        assert_eq!(
            String::from_utf8(sample().canonical().unwrap()).unwrap(),
            r#"{"attestation":{"port":8787},"forward":"nat","network":{"mode":"dhcp"},"wireguard":{"addresses":["10.66.0.1/24","fd66::1/64"],"mtu":1420,"port":51820}}"#
        );
    }

    #[test]
    fn only_the_canonical_form_is_read_back() {
        let bytes = sample().canonical().unwrap();
        assert_eq!(Config::from_canonical(&bytes).unwrap(), sample());
        let spaced = String::from_utf8(bytes).unwrap().replace(':', ": ");
        assert!(Config::from_canonical(spaced.as_bytes()).is_err());
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"wireguard":{"addresses":[]},"peers":[]}"#).is_err());
    }

    #[test]
    fn cidr() {
        let net: Cidr = "10.66.0.1/24".parse().unwrap();
        assert!(net.contains("10.66.0.200".parse().unwrap()) && !net.contains("10.66.1.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("9.9.9.9".parse().unwrap()));
        assert!("::/0".parse::<Cidr>().unwrap().contains("2001:db8::1".parse().unwrap()));
        for bad in ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/024", "x/8", "::1/129", "10.0.0.1/-1"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn problems_are_all_reported() {
        let mut config = sample();
        config.wireguard.port = 0;
        config.wireguard.mtu = 100;
        config.wireguard.addresses.clear();
        assert_eq!(config.problems().len(), 3);
        assert!(sample().problems().is_empty());
    }
}
