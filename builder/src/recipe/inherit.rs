//! Reading a recipe's file and those it inherits from.

use super::source::Source;
use super::tree::{Node, Placed};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Value;
use vitrine_attest::{Error, Result};

/// Bytes of one recipe file; the largest of ours has a few KiB.
pub(super) const FILE_LIMIT: u64 = 1 << 20;
/// Parents of parents of … that may stand above a recipe.
const DEPTH_LIMIT: usize = 8;
/// Files read in all, so that a ladder of doubled parents ends.
const COUNT_LIMIT: usize = 64;

/// Parents in the order written, then the file itself over them.
pub(super) fn read_with_parents(path: &Path, source: &dyn Source) -> Result<Placed> {
    read(path, source, &mut Vec::new(), &mut 0)
}

fn read(path: &Path, source: &dyn Source, above: &mut Vec<PathBuf>, count: &mut usize) -> Result<Placed> {
    let name = path.display().to_string();
    let text = read_text(path, source)?;
    let identity = source.identity(path).map_err(|e| unreadable(&name, &e.to_string()))?;
    if above.contains(&identity) {
        return Err(Error::input(
            format!("{name} inherits from itself by way of its parents"),
            "take one of the `inherits` lines out",
        ));
    }
    *count += 1;
    if above.len() >= DEPTH_LIMIT || *count > COUNT_LIMIT {
        return Err(Error::input(
            format!("{name}: more than {DEPTH_LIMIT} generations or {COUNT_LIMIT} files of parents"),
            "inherit from fewer recipes",
        ));
    }
    let mut own = Placed::parse(&name, &text)?;
    let parents = take_parents(&mut own)?;
    let mut merged = Placed { node: Node::Table(BTreeMap::new()), place: own.place.clone() };
    above.push(identity);
    for parent in parents {
        let parent = path.parent().unwrap_or(Path::new("")).join(parent);
        merged.merge(read(&parent, source, above, count)?)?;
    }
    above.pop();
    merged.merge(own)?;
    Ok(merged)
}

/// Takes `inherits = ["base.toml", …]` out of a file's table.
fn take_parents(file: &mut Placed) -> Result<Vec<String>> {
    let Node::Table(table) = &mut file.node else { return Ok(vec![]) };
    let Some(inherits) = table.remove("inherits") else { return Ok(vec![]) };
    let wrong = || {
        let what = format!("{}: `inherits` is a list of recipe files", inherits.place);
        Error::input(what, "write it like inherits = [\"base.toml\"]")
    };
    let Node::List(items) = &inherits.node else { return Err(wrong()) };
    items
        .iter()
        .map(|item| match &item.node {
            Node::Scalar(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
            _ => Err(wrong()),
        })
        .collect()
}

fn read_text(path: &Path, source: &dyn Source) -> Result<String> {
    let name = path.display().to_string();
    let bytes = source.read(path, FILE_LIMIT).map_err(|e| unreadable(&name, &e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| Error::input(format!("{name} is not UTF-8 text"), "check the path"))
}

fn unreadable(name: &str, why: &str) -> Error {
    Error::input(format!("recipe {name} cannot be read: {why}"), "check the path, and the `inherits` lines")
}
