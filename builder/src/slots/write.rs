//! Files that appear whole, and stay after a power cut: written beside their place, synchronised, renamed.
//!
//! FAT wants more than other file systems (Linux, `fs/fat/namei_vfat.c`, `vfat_rename`), and nothing here may be left out:
//! - The entry of the new name is written when the *file* is synchronised, not the folder. So the file stays open, and is
//!   synchronised once more after the renaming; until then the disk has the file of before under that name.
//! - The clusters of a file whose name is gone are free at once, also on the disk, unless somebody has it open. So it is held open until the
//!   folder's entry no longer names it: else the power cut in between leaves a name without a file.
//! - The folder comes before the file: else both names have the same clusters on the disk, and removing the one destroys the other.

use crate::out::cannot;
use rustix::fs::statvfs;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

/// Begin of the temporary names; who holds the folder's lock may take such files away.
const STAGED: &str = ".slot-";
/// Kept free besides, in bytes: folders, tables and links.
const SPARE: u64 = 256 << 10;

/// A finished file that has no name yet; gone when dropped.
#[derive(Debug)]
pub struct Staged {
    file: File,
    partial: PathBuf,
    path: PathBuf,
}

/// Writes a file beside its place.
///
/// # Errors
/// Blame Host: no room, no permission. Nothing is left then.
pub fn staged(path: &Path, bytes: &[u8]) -> Result<Staged> {
    let (partial, failed) = (beside(path)?, |e: io::Error| cannot("write", path, &e));
    let file = File::create(&partial).map_err(failed)?;
    let mut staged = Staged { file, partial, path: path.to_owned() };
    staged.file.write_all(bytes).and_then(|()| staged.file.sync_all()).map_err(failed)?;
    Ok(staged)
}

/// The temporary name.
pub fn beside(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| Error::bug(format!("{} names no file", path.display())))?;
    Ok(path.with_file_name(format!("{STAGED}{}", name.to_string_lossy())))
}

impl Staged {
    /// Gives it its name, in one step, for good; whoever had the name before is gone.
    ///
    /// # Errors
    /// Blame Host. Under the name is the one file or the other then.
    pub fn publish(self) -> Result<()> {
        let before = held(&self.path);
        fs::rename(&self.partial, &self.path).map_err(|e| cannot("write", &self.path, &e))?;
        sync(folder(&self.path))?;
        self.file.sync_all().map_err(|e| cannot("write", &self.path, &e))?;
        free(before, &self.path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = remove(&self.partial); // after publishing there is none; else the error that matters is the first one
    }
}

/// Takes away what commands that were killed have left in a folder.
pub fn clear(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|e| cannot("read folder", folder, &e))?,
    };
    let left = entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(STAGED.as_bytes()));
    left.map(|entry| entry.path()).try_for_each(|path| remove(&path))
}

/// Removes a file that need not be there, for good.
pub fn remove(path: &Path) -> Result<()> {
    let before = held(path);
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed.map_err(|e| cannot("remove", path, &e))?,
    }
    sync(folder(path))?;
    free(before, path)
}

/// Keeps a file's clusters from being free.
fn held(path: &Path) -> Option<File> {
    path.is_file().then(|| File::open(path).ok()).flatten()
}

/// Now they may be; a power cut before that is written loses their place until the next fsck, and nothing else.
fn free(before: Option<File>, path: &Path) -> Result<()> {
    match before {
        Some(before) => {
            drop(before);
            sync(folder(path))
        }
        None => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// What was renamed and removed in a folder stays so.
pub fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| cannot("synchronise", folder, &e))
}

/// Refuses to begin what would fill the file system.
///
/// # Errors
/// Blame Host, with both numbers.
pub fn room(folder: &Path, needed: u64) -> Result<()> {
    let found = statvfs(folder).map_err(|e| cannot("read", folder, &e.into()))?;
    let (free, needed) = (found.f_bavail.saturating_mul(found.f_frsize), needed + SPARE);
    if free >= needed {
        return Ok(());
    }
    let what = format!("{} has {free} bytes free, and {needed} are needed", folder.display());
    Err(Error::host(what, "make room: while a release is written, what is there stays"))
}
