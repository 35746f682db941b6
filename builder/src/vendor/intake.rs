//! Packages of an archive on their way into the store.

use super::read::Shelf;
use crate::store::{failed, Store};
use rustix::fs::{flock, FlockOperation};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use vitrine_attest::{Error, Result, Sha256};

/// End of the names of files under way; a name is never that of a download.
const SUFFIX: &str = "intake";

/// Either the store has the file, or it is being written beside the downloads.
#[derive(Debug)]
pub enum Slot {
    There,
    New { file: File, path: PathBuf },
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::There => Ok(bytes.len()),
            Self::New { file, .. } => file.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Self::New { path, .. } = self {
            // gone already when the store took it; else the error that matters is the one that led here
            let _ = fs::remove_file(path);
        }
    }
}

impl Shelf for Store {
    type Slot = Slot;

    fn slot(&self, sha256: &Sha256, size: u64) -> Result<Slot> {
        let there = self.path(sha256).and_then(|path| fs::metadata(path).ok());
        if there.is_some_and(|found| found.len() == size) {
            return Ok(Slot::There);
        }
        open(self, sha256)
    }

    fn keep(&self, slot: Slot, sha256: &Sha256) -> Result<()> {
        match &slot {
            Slot::There => Ok(()),
            Slot::New { file, path } => {
                file.sync_all().map_err(|e| failed("package cannot be written", path, &e))?;
                self.import(path, sha256)
            }
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        failed("package cannot be written", self.root(), error)
    }
}

/// A file of our own, locked, so that another import does not take it for a left-over.
fn open(store: &Store, sha256: &Sha256) -> Result<Slot> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = store.partial(sha256).with_extension(format!("{}.{number}.{SUFFIX}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = match file {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(failed("package cannot be written", &path, &e)),
        };
        let locked = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        // between making and locking, somebody who clears up may have taken it away
        if locked && is_at(&file, &path) {
            return Ok(Slot::New { file, path });
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let inode = |m: fs::Metadata| (m.dev(), m.ino());
    fs::metadata(path).ok().map(inode) == file.metadata().ok().map(inode)
}

/// Takes away what imports left that were killed: their locks went with them.
pub(super) fn clear_up(store: &Store) {
    let Some(folder) = store.partial(&Sha256::ZERO).parent().map(Path::to_path_buf) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension() != Some(OsStr::new(SUFFIX)) {
            continue;
        }
        let Ok(file) = File::open(&path) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&file, &path) {
            let _ = fs::remove_file(&path);
        }
    }
}
