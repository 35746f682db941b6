//! Whether an image can be proven in the small Internet: it has to have its place there, and to trust its root of names.

use crate::world::GUEST;
use std::path::Path;
use vitrine_attest::config::{Config, Network, Upstream};
use vitrine_attest::{Error, Result};

const HINT: &str =
    "build it from a recipe that inherits yours and has [config.network] and [config.resolver.upstream] of \
    qemu/tests/recipes/prove.toml, with --set config.resolver.upstream.trust_anchors of the zones";

/// # Errors
/// Blame Input, before minutes are spent: the image has another place, other names, or no owner.
pub fn check(config: &Config, names: &Path) -> Result<()> {
    let wrong = |what: &str| Err(Error::input(format!("this image cannot be proven: {what}"), HINT));
    match &config.network {
        Network::Static { addresses, .. } if addresses.iter().any(|own| own.address == GUEST) => {}
        _ => return wrong(&format!("its address is not {GUEST}")),
    }
    if config.owner.is_none() {
        return wrong("it has no owner who could add users");
    }
    let Some(resolver) = &config.resolver else { return wrong("it has no resolver") };
    let path = names.join("anchor");
    let anchor = std::fs::read_to_string(&path)
        .map_err(|e| Error::input(format!("{}: {e}", path.display()), "make the zones: tools/test-zones.sh DIR"))?;
    match &resolver.upstream {
        Upstream::Recursive { trust_anchors, .. } if trust_anchors.iter().any(|own| own == anchor.trim()) => Ok(()),
        _ => wrong("its resolver does not ask and trust the root of the zones"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_place_is_refused_at_once() {
        let names = tempfile::tempdir().unwrap();
        let check = |text: &str| check(&serde_json::from_str(text).unwrap(), names.path()).map_err(|e| e.to_string());
        let good = format!(
            r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}},"owner":"{}=",
                "network":{{"mode":"static","addresses":["203.0.113.10/24"]}},
                "resolver":{{"upstream":{{"mode":"recursive","trust_anchors":["257 3 13 aa"]}}}}}}"#,
            "A".repeat(43)
        );
        assert!(check(&good).unwrap_err().contains("anchor"), "no zones");
        std::fs::write(names.path().join("anchor"), "257 3 13 aa\n").unwrap();
        check(&good).unwrap();
        let mut orphan: serde_json::Value = serde_json::from_str(&good).unwrap();
        orphan.as_object_mut().unwrap().remove("owner");
        let elsewhere =
            [good.replace("203.0.113.10", "203.0.113.11"), good.replace("13 aa", "13 bb"), orphan.to_string()];
        for other in elsewhere {
            assert!(check(&other).unwrap_err().contains("cannot be proven"), "{other}");
        }
    }
}
