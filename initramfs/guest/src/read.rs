//! Reading files whose size somebody else decides.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

/// The whole file, when it has at most `limit` bytes. Works for /proc and /sys, where lengths are not known before.
pub fn small_file(path: impl AsRef<Path>, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Error::from(ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_exact() {
        let size = std::fs::metadata("Cargo.toml").unwrap().len() as usize;
        assert_eq!(small_file("Cargo.toml", size).unwrap().len(), size);
        assert!(small_file("Cargo.toml", size - 1).is_err());
        assert!(small_file("no such file", 1).is_err());
    }
}
