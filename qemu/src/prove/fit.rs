//! What of the small Internet an image can use: how it gets its addresses, and whether names resolve for it.

use super::egress::Purpose;
use crate::world::GUEST;
use std::path::Path;
use vitrine_attest::config::{Config, Forward, Network, Reach, Upstream};
use vitrine_attest::{Error, Result};

const HINT: &str =
    "build it from a recipe that inherits yours and has [config.network] and [config.resolver.upstream] of \
    qemu/tests/recipes/prove.toml";

/// How an image fits into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// It asks for its addresses.
    pub lease: bool,
    /// It has a resolver for its users.
    pub resolves: bool,
    /// … which trusts the root of our zones. Otherwise it trusts the Internet's: it asks, and no answer holds.
    pub names: bool,
    /// Its users reach the Internet through it.
    pub exit: bool,
    /// TCP port of its gateway, when that can be called from outside.
    pub gateway: Option<u16>,
    /// Behind it is a program of the operator's own, which answers at `/app/`.
    pub app: bool,
}

impl Fit {
    /// What the guest has to send for.
    pub fn purposes(self) -> Vec<Purpose> {
        let own = [(Purpose::Resolver, self.resolves), (Purpose::Gateway, self.gateway.is_some())];
        let own = own.into_iter().filter_map(|(purpose, has)| has.then_some(purpose));
        [Purpose::WireGuard, Purpose::Client, Purpose::Evidence].into_iter().chain(own).collect()
    }

    /// # Errors
    /// Blame Input, before minutes are spent: the image has another place, asks other servers, or has no owner.
    pub fn of(config: &Config, names: &Path) -> Result<Self> {
        let wrong = |what: &str| Err(Error::input(format!("this image cannot be proven: {what}"), HINT));
        let lease = match &config.network {
            Network::Dhcp => true,
            Network::Static { addresses, .. } if addresses.iter().any(|own| own.address == GUEST) => false,
            Network::Static { .. } => return wrong(&format!("its address is fixed, and not {GUEST}")),
        };
        if config.owner.is_none() {
            return wrong("it has no owner who could add users");
        }
        let callable = config.gateway.as_ref().filter(|gateway| gateway.reach.contains(&Reach::Outside));
        let gateway = callable.map(|gateway| gateway.port);
        let app = gateway.is_some() && config.app.is_some();
        let exit = config.forward != Forward::None;
        let Some(resolver) = &config.resolver else {
            return match (gateway, exit) {
                (Some(_), false) => Ok(Self { lease, resolves: false, names: false, exit, gateway, app }),
                _ => wrong("it has no resolver"),
            };
        };
        if !exit {
            return wrong("it has a resolver and forwards nothing");
        }
        let Upstream::Recursive { roots, trust_anchors } = &resolver.upstream else {
            return wrong("its resolver asks another one, which is not there");
        };
        let path = names.join("anchor");
        let ours = std::fs::read_to_string(&path)
            .map_err(|e| Error::input(format!("{}: {e}", path.display()), "make the zones: tools/test-zones.sh DIR"))?;
        match trust_anchors.iter().any(|own| own == ours.trim()) {
            true => Ok(Self { lease, resolves: true, names: true, exit, gateway, app }),
            false if roots.is_empty() => Ok(Self { lease, resolves: true, names: false, exit, gateway, app }),
            false => wrong("its root servers are not there, or it does not trust the root of the zones"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_place_is_refused_at_once() {
        let names = tempfile::tempdir().unwrap();
        let of = |text: &str| Fit::of(&serde_json::from_str(text).unwrap(), names.path()).map_err(|e| e.to_string());
        let good = format!(
            r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}},"owner":"{}=",
                "network":{{"mode":"static","addresses":["203.0.113.10/24"]}},
                "resolver":{{"upstream":{{"mode":"recursive","roots":["198.51.100.1"],"trust_anchors":["257 3 13 aa"]}}}}}}"#,
            "A".repeat(43)
        );
        assert!(of(&good).unwrap_err().contains("anchor"), "no zones");
        std::fs::write(names.path().join("anchor"), "257 3 13 aa\n").unwrap();
        let fit = Fit { lease: false, resolves: true, names: true, exit: true, gateway: None, app: false };
        assert_eq!(of(&good), Ok(fit));
        let mut other: serde_json::Value = serde_json::from_str(&good).unwrap();
        other["network"] = serde_json::json!({"mode": "dhcp"});
        other["resolver"] = serde_json::json!({"upstream": {"mode": "recursive"}});
        assert_eq!(of(&other.to_string()), Ok(Fit { lease: true, names: false, ..fit }), "as shipped");
        let mut gateway: serde_json::Value = serde_json::from_str(&good).unwrap();
        gateway["forward"] = "none".into();
        gateway["gateway"] = serde_json::json!({"routes": [], "upstreams": {}});
        gateway.as_object_mut().unwrap().remove("resolver");
        let alone = Fit { resolves: false, names: false, exit: false, gateway: Some(443), ..fit };
        assert_eq!(of(&gateway.to_string()), Ok(alone), "a gateway and nothing else");
        other.as_object_mut().unwrap().remove("owner");
        let elsewhere =
            [good.replace("203.0.113.10", "203.0.113.11"), good.replace("13 aa", "13 bb"), other.to_string()];
        for other in elsewhere {
            assert!(of(&other).unwrap_err().contains("cannot be proven"), "{other}");
        }
    }
}
