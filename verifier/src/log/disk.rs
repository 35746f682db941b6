//! Writing so that a power cut leaves the old or the new, never something between.
//!
//! Nothing is tried twice: after a failed fsync(2) the kernel may call pages clean that never reached the disk, so the program
//! ends, and the next one writes the same bytes into new files.

use super::Folder;
use crate::files;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

/// Writes of one change; the folders in which names were made are synchronised together.
pub(super) struct Disk<'f> {
    folder: &'f Folder,
    touched: BTreeSet<PathBuf>,
}

/// What to do with a file that is there already, with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    /// It was written by somebody who had no failure.
    Keep,
    /// Somebody ended in the middle: nobody knows whether its name has reached the disk. It gets it anew.
    Renew,
}

impl<'f> Disk<'f> {
    pub fn new(folder: &'f Folder) -> Self {
        Self { folder, touched: BTreeSet::new() }
    }

    /// Replaces a file, or makes it.
    pub fn replace(&mut self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let part = self.part(bytes, mode)?;
        std::fs::rename(&part, path).map_err(|e| failed(path, &e))?;
        self.touch(path);
        Ok(())
    }

    /// Makes a file that must not be changed ever after.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Artefact`] when it is there with other bytes.
    pub fn create(&mut self, path: &Path, bytes: &[u8], same: Same) -> Result<()> {
        let parent = path.parent().unwrap_or(self.folder.path());
        self.make_folders(parent)?;
        if same == Same::Renew {
            // folders that are there may not have reached the disk either
            let above = parent.ancestors().take_while(|above| *above != self.folder.path());
            self.touched.extend(above.map(Path::to_owned));
        }
        let part = self.part(bytes, 0o644)?;
        match std::fs::hard_link(&part, path) {
            Ok(()) => std::fs::remove_file(&part).map_err(|e| failed(&part, &e))?,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read(path).map_err(|e| failed(path, &e))? != bytes {
                    return Err(Error::artefact(
                        format!("{} is there with other bytes than it must have", path.display()),
                        "somebody has changed the log's files: run `vitrine-verify log fsck`, and do not append until you know why",
                    ));
                }
                match same {
                    Same::Keep => std::fs::remove_file(&part).map_err(|e| failed(&part, &e))?,
                    Same::Renew => std::fs::rename(&part, path).map_err(|e| failed(path, &e))?,
                }
            }
            Err(e) => return Err(failed(path, &e)),
        }
        self.touch(path);
        Ok(())
    }

    /// Brings all names to disk that were made so far.
    pub fn sync(&mut self) -> Result<()> {
        for folder in std::mem::take(&mut self.touched) {
            sync_folder(&folder)?;
        }
        Ok(())
    }

    /// A whole file beside all others, on disk.
    fn part(&self, bytes: &[u8], mode: u32) -> Result<PathBuf> {
        // one at a time: the log is locked
        let path = self.folder.work().join("part");
        let write = || {
            _ = std::fs::remove_file(&path);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|e| failed(&path, &e))?;
        Ok(path)
    }

    pub fn make_folders(&mut self, folder: &Path) -> Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make_folders(parent)?;
        }
        match std::fs::create_dir(folder) {
            Ok(()) => self.touch(folder),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(folder, &e)),
        }
        Ok(())
    }

    /// The name of this file has to reach the disk, too.
    pub fn touch(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.touched.insert(parent.to_owned());
        }
    }
}

pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|e| failed(folder, &e))
}

/// The lock of a log; it ends with this value, however that ends.
///
/// # Errors
/// When another writer has it: nobody waits, for that one may be at work for hours.
pub(super) fn lock(folder: &Folder) -> Result<File> {
    let path = folder.lock();
    files::try_lock(&path).map_err(|e| failed(&path, &e))?.ok_or_else(|| {
        Error::input(
            format!("another program writes to {}", folder.path().display()),
            "wait until it has ended, then run this again",
        )
    })
}

pub(super) fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::host(
        format!("{}: {error}", path.display()),
        "nothing that was acknowledged is lost: mend the cause (room, rights, the disk), then run the same command again",
    )
}
