//! Inner parsers for the fuzz targets; not there in any other build.

use super::closure::Universe;
use super::packages::{parse_packages, parse_relations};
use super::release::Release;
use std::collections::BTreeMap;
use vitrine_attest::{Result, Sha256};

/// The text of a release file as if its signature had been checked.
pub fn signed_text(text: &str, now: u64) -> Result<Release> {
    Release::signed_text(text, Sha256::of(text.as_bytes()), String::new(), now)
}

/// Reads an index, and closes over each package and over all of them.
pub fn close_all(index: &[u8]) {
    let Ok(packages) = parse_packages(index) else { return };
    let names: Vec<String> = packages.iter().map(|package| package.name.to_string()).collect();
    for package in &packages {
        assert!(!package.name.is_empty() && !package.version.as_str().is_empty() && !package.file.is_empty());
        for text in package.depends {
            let _ = parse_relations(package.name, text);
        }
    }
    let Ok(universe) = Universe::new(vec![((), packages)], "amd64") else { return };
    for roots in names.iter().take(8).map(std::slice::from_ref).chain([names.as_slice()]) {
        let Ok(closure) = universe.close(roots, &BTreeMap::new()) else { continue };
        assert!(roots.iter().all(|root| closure.chosen.contains_key(root.as_str())));
    }
}
