//! A toolchain's recipe: which packages compile the programs of an image. No kernel, no configuration.
//!
//! Sample (`recipes/toolchain.toml`):
//! ```toml
//! kind = "toolchain"
//! name = "toolchain"
//!
//! [debian]
//! suite = "trixie"
//! packages = ["rustc-web", "cargo-web"]
//! ```

use super::problems::{self, Problems};
use super::tree::{Node, Placed};
use super::{inherit, Debian, Disk};
use serde::Deserialize;
use std::path::Path;
use toml::Value;
use vitrine_attest::{Error, Result};

/// A checked recipe of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    #[serde(rename = "kind")]
    _kind: Kind,
    pub name: String,
    pub debian: Debian,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Toolchain,
}

impl Toolchain {
    /// Reads a recipe with its parents; `None` when it does not say `kind = "toolchain"`.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] when it cannot be read, has unknown fields, or names no usable packages.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let merged = inherit::read_with_parents(path, &Disk)?;
        if !is_toolchain(&merged) {
            return Ok(None);
        }
        let text = toml::to_string(&merged.to_value())
            .map_err(|e| Error::bug(format!("merged recipe has no TOML form: {e}")))?;
        let found: Self = toml::from_str(&text).map_err(|e| {
            let why = e.message().trim_end().replace('\n', ": ");
            Error::input(format!("recipe {}: {why}", path.display()), format!("correct {}", path.display()))
        })?;
        let mut problems = Problems::of(&merged);
        problems::debian(&found.debian, &mut problems);
        problems.refuse()?;
        Ok(Some(found))
    }
}

fn is_toolchain(merged: &Placed) -> bool {
    let Node::Table(table) = &merged.node else { return false };
    matches!(table.get("kind").map(|placed| &placed.node), Some(Node::Scalar(Value::String(kind))) if kind == "toolchain")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Option<Toolchain>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        std::fs::write(&path, text).unwrap();
        Toolchain::load(&path)
    }

    const GOOD: &str = "kind = \"toolchain\"\nname = \"t\"\n[debian]\nsuite = \"trixie\"\npackages = [\"gcc\"]\n";

    #[test]
    fn only_what_says_so() {
        assert_eq!(load(GOOD).unwrap().unwrap().debian.packages, ["gcc"]);
        assert_eq!(load("name = \"exit\"\n").unwrap(), None);
        assert_eq!(load(&GOOD.replace("toolchain\"", "image\"")).unwrap(), None);
    }

    #[test]
    fn refusals_name_the_place() {
        for (from, to, why) in [
            ("[debian]", "[image]\n[debian]", "unknown field `image`"),
            ("[\"gcc\"]", "[]", "t.toml:5: debian.packages"),
            ("[\"gcc\"]", "[\"../x\"]", "is no package name"),
            ("suite = \"trixie\"\n", "", "missing field `suite`"),
        ] {
            let error = load(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.what.contains(why), "{error}");
        }
    }
}
