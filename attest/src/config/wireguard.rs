//! The tunnel's own side.

use super::{Cidr, Span};
use serde::{Deserialize, Serialize};

/// ```toml
/// wireguard.ports = [51820, 443]
/// wireguard.addresses = ["10.66.0.1/24", "fd66::1/64"]
/// wireguard.rotation = { every = "30d", overlap = "2d", ports = [51821, 4443] }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireGuard {
    /// UDP ports it listens on, at least one; a client may use any of them.
    #[serde(default = "default_ports")]
    pub ports: Vec<u16>,
    /// The server's addresses inside the tunnel, with the tunnel's networks around them.
    pub addresses: Vec<Cidr>,
    /// Bytes of one packet inside the tunnel.
    #[serde(default = "default_mtu")]
    pub mtu: u16,
    /// New keys while the server runs. Without it one key lasts until the next boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// Generation 0 is the key of the boot. Generation n starts `n × every` after it. Even generations listen on
/// `wireguard.ports`, odd ones on `ports` here: a UDP port can belong to one key only, and old and new overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub every: Span,
    /// How long the former key lives on; shorter than `every`.
    pub overlap: Span,
    /// As many as `wireguard.ports`, and none of them.
    pub ports: Vec<u16>,
}

/// Most interfaces at a time: ports of both generations.
pub const MOST_PORTS: usize = 8;
/// A client renews its session every 120 s (WireGuard §6.2) and must have the time to learn the new key.
const SHORTEST_ROTATION: Span = Span::seconds(10);

impl WireGuard {
    /// Ports of one generation of keys.
    pub fn ports_of(&self, generation: u32) -> &[u16] {
        match &self.rotation {
            Some(rotation) if generation % 2 == 1 => &rotation.ports,
            _ => &self.ports,
        }
    }

    /// Every port that is ever used; its place in this list is the number of its interface (`wg0`, `wg1`, …).
    pub fn all_ports(&self) -> Vec<u16> {
        let rotation = self.rotation.iter().flat_map(|rotation| &rotation.ports);
        self.ports.iter().chain(rotation).copied().collect()
    }

    pub(super) fn problems(&self, problems: &mut Vec<String>) {
        let ports = self.all_ports();
        if self.ports.is_empty() {
            problems.push("wireguard.ports is empty".into());
        }
        if ports.contains(&0) {
            problems.push("wireguard.ports: port 0 does not exist".into());
        }
        if ports.len() > MOST_PORTS {
            problems.push(format!("wireguard.ports: {} ports, at most {MOST_PORTS} are possible", ports.len()));
        }
        if (1..ports.len()).any(|n| ports[..n].contains(&ports[n])) {
            problems.push("wireguard.ports: a port is named twice".into());
        }
        if self.addresses.is_empty() {
            problems.push("wireguard.addresses is empty: clients could not reach the server inside the tunnel".into());
        }
        for (n, one) in self.addresses.iter().enumerate() {
            if self.addresses[..n].iter().any(|other| other.overlaps(one)) {
                problems.push(format!("wireguard.addresses: {one} overlaps another one"));
            }
        }
        if !(1280..=9000).contains(&self.mtu) {
            problems.push(format!(
                "wireguard.mtu is {}, it has to be 1280 (IPv6's minimum, RFC 8200 §5) to 9000",
                self.mtu
            ));
        }
        if let Some(rotation) = &self.rotation {
            rotation.problems(self.ports.len(), problems);
        }
    }
}

impl Rotation {
    fn problems(&self, ports: usize, problems: &mut Vec<String>) {
        if self.ports.len() != ports {
            problems.push("wireguard.rotation.ports: as many as wireguard.ports are needed".into());
        }
        if self.every < SHORTEST_ROTATION {
            problems
                .push(format!("wireguard.rotation.every is {}, at least {SHORTEST_ROTATION} is needed", self.every));
        }
        if self.overlap >= self.every {
            problems.push("wireguard.rotation.overlap has to be shorter than wireguard.rotation.every".into());
        }
    }
}

fn default_ports() -> Vec<u16> {
    vec![51820]
}
/// 1500 − 40 (IPv6) − 8 (UDP) − 32 (WireGuard).
fn default_mtu() -> u16 {
    1420
}
