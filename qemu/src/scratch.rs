//! One folder for everything a guest needs, removed at the end, whatever the end is.
//!
//! Dropped: removed. Panic in a program built with `panic = "abort"`: removed by [`install_panic_hook`].
//! Killed with SIGKILL: removed by the next run, which finds its lock file free.

use rustix::fs::{flock, FlockOperation};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use vitrine_attest::{Error, Result};

const PREFIX: &str = "vitrine-qemu-";
/// While its lock is being made.
const MAKING: &str = ".vitrine-making-";
const LOCK: &str = "in-use";
/// A Unix socket's path has at most 107 bytes (unix(7)); our longest file name has fewer than 24.
const PATH_LIMIT: usize = 107 - 24;

/// Folders of this process that are still there.
static ALIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A folder that nobody else can read, under the system's temporary folder.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: bool,
    /// Held as long as we live.
    _lock: File,
}

impl Scratch {
    /// Makes a new one, and removes what killed runs have left behind.
    ///
    /// # Errors
    /// When no folder can be made there.
    pub fn new() -> Result<Self> {
        let parent = parent();
        remove_stale(&parent);
        let failed = |e: std::io::Error| {
            Error::host(
                format!("no folder can be made in {}: {e}", parent.display()),
                "make room there, or set TMPDIR to another folder",
            )
        };
        // Locked before it has the name by which another run would take it for a leftover.
        let making = tempfile::Builder::new().prefix(MAKING).tempdir_in(&parent).map_err(failed)?;
        let lock = File::create(making.path().join(LOCK)).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|e| failed(e.into()))?;
        let random = making.path().display().to_string().split_off(parent.join(MAKING).as_os_str().len());
        let path = parent.join(format!("{PREFIX}{random}"));
        fs::rename(making.keep(), &path).map_err(failed)?;
        if let Ok(mut alive) = ALIVE.lock() {
            alive.push(path.clone());
        }
        Ok(Self { path, keep: false, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Absolute path of a file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leave the folder where it is, for somebody who wants to look into it.
    pub fn keep(&mut self) {
        self.keep = true;
        // Without it the next run leaves the folder alone.
        let _ = fs::remove_file(self.join(LOCK));
    }

    /// Writes a file into it and returns its path.
    ///
    /// # Errors
    /// When the disk is full or the like.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.join(name);
        fs::write(&path, bytes).map_err(|e| {
            Error::host(format!("{} cannot be written: {e}", path.display()), "make room, or set TMPDIR")
        })?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(mut alive) = ALIVE.lock() {
            alive.retain(|path| *path != self.path);
        }
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// After a panic nothing is dropped in a program that aborts: remove the folders first.
pub fn install_panic_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        if let Ok(alive) = ALIVE.try_lock() {
            for path in alive.iter() {
                let _ = fs::remove_dir_all(path);
            }
        }
    }));
}

/// The temporary folder, or `/tmp` where that one's path is too long for sockets.
fn parent() -> PathBuf {
    let folder = std::env::temp_dir();
    let folder = fs::canonicalize(&folder).unwrap_or(folder);
    if folder.as_os_str().len() + PREFIX.len() + 8 > PATH_LIMIT {
        return PathBuf::from("/tmp");
    }
    folder
}

fn remove_stale(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // No lock file: its owner is just making it, or somebody asked to keep it.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_when_dropped_and_kept_on_request() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_path_buf();
        scratch.write("file", b"x").unwrap();
        drop(scratch);
        assert!(!path.exists());
        let mut scratch = Scratch::new().unwrap();
        scratch.keep();
        let path = scratch.path().to_path_buf();
        drop(scratch);
        assert!(path.exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_is_in_use_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let stale = parent.path().join(format!("{PREFIX}stale"));
        let used = parent.path().join(format!("{PREFIX}used"));
        for folder in [&stale, &used] {
            fs::create_dir(folder).unwrap();
            File::create(folder.join(LOCK)).unwrap();
        }
        let lock = File::open(used.join(LOCK)).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        remove_stale(parent.path());
        assert!(!stale.exists() && used.exists());
    }
}
