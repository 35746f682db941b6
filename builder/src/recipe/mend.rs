//! Reading a merged recipe to its end although something in it is wrong, so that everything wrong is said at once.
//!
//! What cannot be read is noted and taken out, or gets a stand-in where the recipe could not be without it; then it is
//! read again. A mended recipe never leaves this folder: [`Problems::refuse`] stops it.

use super::problems::Problems;
use super::tree::{path_of, Node, Placed};
use super::Recipe;
use vitrine_attest::{Error, Result};

/// Errors of this kind that are looked for. Each takes one more reading.
const MOST: usize = 50;

/// What stands in for a field that has to be there: key, TOML.
const STAND_INS: [(&str, &str); 13] = [
    ("name", "name = \"x\""),
    ("version", "version = \"0\""),
    ("debian", "debian = { suite = \"x\", packages = [\"x\"] }"),
    ("suite", "suite = \"x\""),
    ("packages", "packages = [\"x\"]"),
    ("config", "config = { wireguard = { addresses = [\"192.0.2.1/24\"] } }"),
    ("wireguard", "wireguard = { addresses = [\"192.0.2.1/24\"] }"),
    ("addresses", "addresses = [\"192.0.2.1/24\"]"),
    ("every", "every = \"30d\""),
    ("overlap", "overlap = \"1d\""),
    ("rule", "rule = \"x\""),
    ("path", "path = \"/x\""),
    ("reason", "reason = \"x\""),
];

/// The recipe, mended where problems were noted; `None` when it cannot be mended.
pub(super) fn read(merged: &Placed, problems: &mut Problems) -> Result<Option<Recipe>> {
    let mut tree = merged.clone();
    for _ in 0..MOST {
        let text = toml::to_string(&tree.to_value())
            .map_err(|e| Error::bug(format!("merged recipe has no TOML form: {e}")))?;
        let error = match toml::from_str::<Recipe>(&text) {
            Ok(recipe) => return Ok(Some(recipe)),
            Err(error) => error,
        };
        let message = error.message().trim_end().replace('\n', ": ");
        let path = path_of(&text, error.span()).unwrap_or_default();
        let path = exact(&tree, path, &message);
        problems.mended(&path, &message);
        let stand_in = path.last().and_then(|key| stand_in(key));
        if !tree.replace(&path, stand_in) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Fields that the recipe itself has to have. When one is missing, the message stands at the first line.
const ROOT: [&str; 4] = ["name", "version", "debian", "config"];

/// Messages about a field of a table name the field, and stand at the table.
fn exact(tree: &Placed, mut path: Vec<String>, message: &str) -> Vec<String> {
    let quoted = message.split('`').nth(1).filter(|_| message.contains("field `"));
    if message.starts_with("missing field") && path.len() < 2 && quoted.is_some_and(|field| ROOT.contains(&field)) {
        path.clear();
    }
    let table = |path: &[String]| matches!(tree.at(path), Some(Placed { node: Node::Table(_), .. }));
    if let Some(field) = quoted.filter(|_| table(&path)) {
        path.push(field.into());
    }
    path
}

fn stand_in(key: &str) -> Option<Node> {
    let (_, text) = STAND_INS.iter().find(|(name, _)| *name == key)?;
    let parsed = Placed::parse("stand-in", text).ok()?;
    parsed.at(&[key.to_string()]).map(|found| found.node.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stand_in_can_be_read() {
        for (key, _) in STAND_INS {
            assert!(stand_in(key).is_some(), "{key}");
        }
        let whole: String = ["name", "version", "debian", "config"]
            .map(|key| STAND_INS.iter().find(|(k, _)| *k == key).unwrap().1)
            .join("\n");
        toml::from_str::<Recipe>(&whole).unwrap();
    }
}
