//! A folder that is gone when it is not needed any more.

use crate::server::random;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result};

/// For this user alone: creating it fails when somebody has made one of this name before.
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// When there is no place.
    pub fn make() -> Result<Self> {
        // random: one that was killed has left its folder
        let path = std::env::temp_dir().join(format!("vitrine-rebuild-{}", hex(&random()?[..8])));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|e| Error::host(format!("{}: {e}", path.display()), "name another folder in TMPDIR"))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
