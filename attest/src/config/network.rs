//! The outer interface, and what may pass between the tunnel and it.

use super::Cidr;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

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

impl Network {
    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        if matches!(self, Self::Static { addresses, .. } if addresses.is_empty()) {
            problems.push("network.addresses is empty".into());
        }
    }
}

/// What happens with packets of the tunnel that are for somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// Dropped.
    None,
    /// Sent on under the server's own addresses, IPv4 and IPv6.
    #[default]
    Nat,
    /// IPv4 as `nat`; IPv6 packets keep the client's address: somebody must route the tunnel's network here.
    Routed6,
}

/// What clients may reach besides the public Internet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Firewall {
    pub clients: Clients,
    /// Private networks that clients may reach. All others are refused, see [`PRIVATE`].
    pub reach: Vec<Cidr>,
}

/// Whether clients may speak to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clients {
    #[default]
    Isolated,
    Together,
}

/// Networks that are not the public Internet (RFC 6890, RFC 4193, RFC 3879, RFC 6598; multicast and reserved).
/// The documentation networks are left out: nobody has them, and tests use them as "public".
pub const PRIVATE: [&str; 15] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
    "::/127",
    "::ffff:0.0.0.0/96",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];
