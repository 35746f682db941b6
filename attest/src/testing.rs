//! For tests: real-world vectors, which are not part of the repository.
#![cfg(test)]

use std::path::PathBuf;

/// Bytes of one vector file under `VITRINE_VECTORS` (default: `../shared/vectors` beside the workspace), or none
/// with a message when it is not there. With `VITRINE_VECTORS` set, a missing file is a failure.
pub fn vector(name: &str) -> Option<Vec<u8>> {
    let named = std::env::var_os("VITRINE_VECTORS").map(PathBuf::from);
    let root =
        named.clone().unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")));
    match std::fs::read(root.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) if named.is_some() => panic!("{name} in VITRINE_VECTORS: {error}"),
        Err(_) => {
            eprintln!("skipped: no vector {name}; name their folder in VITRINE_VECTORS");
            None
        }
    }
}
