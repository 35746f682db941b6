//! For tests: real-world vectors, which are not part of the repository.
#![cfg(test)]

use std::io::Result;
use std::path::{Path, PathBuf};

/// Bytes of one vector file under `VITRINE_VECTORS` (default: `../shared/vectors` beside the workspace), or none
/// with a message when it is not there. With `VITRINE_VECTORS` set, a missing file is a failure.
pub fn vector(name: &str) -> Option<Vec<u8>> {
    present(name, |path| std::fs::read(path))
}

/// The same for a folder: its files in order.
pub fn vectors(folder: &str) -> Option<Vec<PathBuf>> {
    present(folder, |path| {
        let mut files = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    })
}

fn present<T>(name: &str, read: impl FnOnce(&Path) -> Result<T>) -> Option<T> {
    let named = std::env::var_os("VITRINE_VECTORS").map(PathBuf::from);
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors"));
    match read(&named.clone().unwrap_or_else(default).join(name)) {
        Ok(read) => Some(read),
        Err(error) if named.is_some() => panic!("{name} in VITRINE_VECTORS: {error}"),
        Err(_) => {
            eprintln!("skipped: no vector {name}; name their folder in VITRINE_VECTORS");
            None
        }
    }
}
