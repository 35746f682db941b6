//! What of the small Internet an image can use: how it gets its addresses, and whether names resolve for it.

use crate::world::GUEST;
use std::path::Path;
use vitrine_attest::config::{Config, Network, Upstream};
use vitrine_attest::{Error, Result};

const HINT: &str =
    "build it from a recipe that inherits yours and has [config.network] and [config.resolver.upstream] of \
    qemu/tests/recipes/prove.toml";

/// How an image fits into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// It asks for its addresses.
    pub lease: bool,
    /// It trusts the root of our zones. Otherwise it trusts the Internet's: it asks, and no answer holds.
    pub names: bool,
}

impl Fit {
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
        let Some(resolver) = &config.resolver else { return wrong("it has no resolver") };
        let Upstream::Recursive { roots, trust_anchors } = &resolver.upstream else {
            return wrong("its resolver asks another one, which is not there");
        };
        let path = names.join("anchor");
        let ours = std::fs::read_to_string(&path)
            .map_err(|e| Error::input(format!("{}: {e}", path.display()), "make the zones: tools/test-zones.sh DIR"))?;
        match trust_anchors.iter().any(|own| own == ours.trim()) {
            true => Ok(Self { lease, names: true }),
            false if roots.is_empty() => Ok(Self { lease, names: false }),
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
        assert_eq!(of(&good), Ok(Fit { lease: false, names: true }));
        let mut other: serde_json::Value = serde_json::from_str(&good).unwrap();
        other["network"] = serde_json::json!({"mode": "dhcp"});
        other["resolver"] = serde_json::json!({"upstream": {"mode": "recursive"}});
        assert_eq!(of(&other.to_string()), Ok(Fit { lease: true, names: false }), "as shipped");
        other.as_object_mut().unwrap().remove("owner");
        let elsewhere =
            [good.replace("203.0.113.10", "203.0.113.11"), good.replace("13 aa", "13 bb"), other.to_string()];
        for other in elsewhere {
            assert!(of(&other).unwrap_err().contains("cannot be proven"), "{other}");
        }
    }
}
