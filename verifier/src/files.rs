//! Files in and out, with limits.

mod part;

pub use part::Part;

use rustix::fs::{flock, FlockOperation};
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use vitrine_attest::{Error, Result};

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::input(format!("{}: {e}", path.display()), "check the file's name");
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        let what = format!("{} has more than {limit} bytes", path.display());
        return Err(Error::input(what, "give the right file: this one is too large"));
    }
    Ok(bytes)
}

/// Reads a secret key's file, and refuses one that others can read.
pub fn read_secret(path: &Path, limit: usize) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    let metadata = std::fs::metadata(path)
        .map_err(|e| Error::input(format!("{}: {e}", path.display()), "check the file's name"))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(Error::input(
            format!("{} can be read by others (mode {:04o})", path.display(), metadata.mode() & 0o7777),
            format!("run `chmod 600 {}`; if others had it, make a new key", path.display()),
        ));
    }
    read(path, limit).map(zeroize::Zeroizing::new)
}

/// Locks this file (flock(2)), made when it is missing, until the value goes, however that ends. None: somebody else has it.
pub fn try_lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes a file whole or not at all: beside it first, then into place.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, 0o666, "choose another place with --save")
}

/// The same for a file that others read while it is replaced again and again.
pub fn publish(path: &Path, bytes: &[u8], hint: &str) -> Result<()> {
    replace(path, bytes, 0o666, hint)
}

/// The same for a file that only its owner may read, from its first byte on.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, 0o600, "choose another place with --out")
}

/// The same for the state file, which has to outlast a power cut: its folder is synchronised, too.
pub fn write_state(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, 0o600, "choose another place with --state, or go without memory with --no-state")?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Error::host(format!("{}: {e}", folder.display()), "choose another place with --state"))
}

fn replace(path: &Path, bytes: &[u8], mode: u32, hint: &str) -> Result<()> {
    let written = Part::beside(path, mode)?.and_then(|mut part| {
        part.write_all(bytes)?;
        part.finish()
    });
    written.map_err(|e| Error::host(format!("{}: {e}", path.display()), hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn limits_modes_and_replacement() {
        let folder = std::env::temp_dir().join(format!("vitrine-verify-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a");
        write(&path, b"one").unwrap();
        write(&path, b"three").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"three");
        assert_eq!(read(&path, 4).unwrap_err().exit_code(), 2);
        assert!(read(&folder.join("b"), 4).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_secret(&path, 9).unwrap_err().what.contains("0640"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&path, 9).unwrap().as_slice(), b"three");
        write_secret(&path, b"secret").unwrap();
        assert_eq!(read_secret(&path, 9).unwrap().as_slice(), b"secret");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "something was left");
        assert!(write(&folder.join("no/such"), b"x").is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
