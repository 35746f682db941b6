//! The effective configuration: what the recipe's `[config]` says after its parents are merged.
//!
//! It is public, measured and hashed: no secrets, no peers. `/etc/vitrine/config.json` is its canonical JSON, with
//! all defaults written out, so that two spellings of one configuration are one configuration.

mod app;
mod cidr;
mod gateway;
mod network;
mod provider_key;
mod resolver;
mod service;
mod span;
mod wireguard;

pub use app::{App, AppLimits, MOST_FILES};
pub use cidr::Cidr;
pub use gateway::{Gateway, GatewayUpstream, Headers, Limits, Reach, Route, UpstreamProtocol, METHODS, MOST_UPSTREAMS};
pub use network::{Clients, Firewall, Forward, Network, PRIVATE};
pub use provider_key::ProviderKey;
pub use resolver::{Cache, ForwardProtocol, ForwardServer, Resolver, Transport, Upstream};
pub use service::{Attestation, Janitor, Level, Metrics, Peers, Watch, MOST_PEERS};
pub use span::Span;
pub use wireguard::{Rotation, WireGuard, MOST_PORTS};

use crate::canonical::to_canonical_json;
use crate::digest::Key32;
use crate::{Error, Result, Sha256};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub wireguard: WireGuard,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub forward: Forward,
    #[serde(default)]
    pub firewall: Firewall,
    #[serde(default)]
    pub attestation: Attestation,
    /// Who may add and remove peers: an Ed25519 public key. Without one the server takes no orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Key32>,
    #[serde(default)]
    pub peers: Peers,
    #[serde(default)]
    pub janitor: Janitor,
    #[serde(default)]
    pub watch: Watch,
    /// Without one, clients bring their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<Resolver>,
    #[serde(default)]
    pub metrics: Metrics,
    /// Without one, the server answers no requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// The operator's own program behind the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
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

    /// Everything that is wrong, in words that begin with the key; empty when the configuration can be used.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.wireguard.problems(&mut problems);
        self.network.problems(&mut problems);
        self.janitor.problems(&mut problems);
        self.watch.problems(&mut problems);
        self.metrics.problems(self.peers.dedicated, &mut problems);
        if let Some(resolver) = &self.resolver {
            resolver.problems(&mut problems);
        }
        if let Some(gateway) = &self.gateway {
            gateway.problems(&self.wireguard.addresses, &mut problems);
        }
        if let Some(app) = &self.app {
            app.problems(self.gateway.as_ref(), &mut problems);
        }
        if self.attestation.port == 0 {
            problems.push("attestation.port is 0".into());
        }
        if !(1..=MOST_PEERS).contains(&self.peers.most) {
            problems.push(format!("peers.most is {}, it has to be 1 to {MOST_PEERS}", self.peers.most));
        }
        self.shared_ports(&mut problems);
        problems
    }

    /// TCP ports of the server's own services; two of them cannot be one.
    fn shared_ports(&self, problems: &mut Vec<String>) {
        let mut ports = vec![("attestation.port", self.attestation.port)];
        if self.metrics.level != Level::L0 {
            ports.push(("metrics.port", self.metrics.port));
        }
        for transport in self.resolver.iter().flat_map(|resolver| &resolver.transports) {
            let port = match transport {
                Transport::Plain => 53,
                Transport::Dot => 853,
                Transport::Doh => 443,
            };
            ports.push(("resolver.transports", port));
        }
        if let Some(gateway) = &self.gateway {
            ports.push(("gateway.port", gateway.port));
        }
        if let Some(app) = &self.app {
            ports.push(("app.port", app.port));
        }
        for (n, (name, port)) in ports.iter().enumerate() {
            if let Some((other, _)) = ports[..n].iter().find(|(_, taken)| taken == port) {
                problems.push(format!("{name} and {other} both want TCP port {port}"));
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Config {
        serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24","fd66::1/64"]}}"#).unwrap()
    }

    #[test]
    fn canonical_form_is_exact() {
        let bytes = sample().canonical().unwrap();
        assert_eq!(Config::from_canonical(&bytes).unwrap(), sample());
        let spaced = [b" ".as_slice(), &bytes].concat();
        assert!(Config::from_canonical(&spaced).is_err());
        assert!(
            Config::from_canonical(br#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).is_err(),
            "defaults missing"
        );
    }

    #[test]
    fn peers_and_unknown_fields_are_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"wireguard":{"addresses":[],"private_key":"x"}}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"wireguard":{"addresses":[]},"peers":["k"]}"#).is_err());
        assert!(
            serde_json::from_str::<Config>(r#"{"wireguard":{"addresses":[]},"peers":{"most":1,"list":[]}}"#).is_err()
        );
    }

    #[test]
    fn problems_are_all_reported() {
        let mut config = sample();
        config.wireguard.ports = vec![0];
        config.wireguard.mtu = 100;
        config.wireguard.addresses.clear();
        config.watch.tick = Span::seconds(61);
        config.metrics = Metrics { level: Level::L2, port: 8787, ..Metrics::default() };
        config.peers = Peers { most: 0, dedicated: true };
        config.resolver = Some(Resolver { transports: vec![], ..Resolver::default() });
        let problems = config.problems();
        assert_eq!(problems.len(), 8, "{problems:#?}");
        assert!(sample().problems().is_empty());
    }

    #[test]
    fn every_generation_has_its_ports() {
        let mut wireguard = sample().wireguard;
        wireguard.rotation =
            Some(Rotation { every: Span::seconds(60), overlap: Span::seconds(20), ports: vec![51821] });
        assert_eq!((wireguard.ports_of(4), wireguard.ports_of(5)), ([51820].as_slice(), [51821].as_slice()));
        assert_eq!(wireguard.all_ports(), [51820, 51821]);
        wireguard.rotation = None;
        assert_eq!(wireguard.ports_of(1), [51820]);
    }

    #[test]
    fn rotation_has_to_fit() {
        let mut config = sample();
        config.wireguard.rotation =
            Some(Rotation { every: Span::seconds(5), overlap: Span::seconds(5), ports: vec![51820, 1] });
        let problems = config.problems();
        assert_eq!(problems.len(), 4, "{problems:#?}");
    }
}
