//! Files and folders that appear whole or not at all, and take nobody's place unless asked to.
//!
//! A file is written beside its place under a temporary name, which its writer has locked (flock(2)), and then renamed. What a
//! writer that was killed left behind, the next one for the same place takes away.

use crate::out::cannot;
use rustix::fs::{flock, renameat_with, FlockOperation, OFlags, RenameFlags, CWD};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

/// What to do with what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    /// A file only, never a folder or a device.
    Replace,
}

/// Refuses a place that is taken, before any work is done.
///
/// # Errors
/// Blame Input.
pub fn check(path: &Path, existing: Existing) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(cannot("read", path, &e)),
        Ok(found) if found.is_file() && existing == Existing::Replace => Ok(()),
        Ok(found) if found.is_file() => Err(taken(path)),
        Ok(_) => Err(Error::input(
            format!("{} is no plain file", path.display()),
            "give the name of a file with --to; a device gets its bytes by dd (docs/export.md)",
        )),
    }
}

fn taken(path: &Path) -> Error {
    Error::input(
        format!("{} is there already", path.display()),
        "give another name with --to, or replace it with --force",
    )
}

/// Makes a file; `fill` gets it empty.
///
/// # Errors
/// Blame Input when the place is taken, or somebody else is writing there; Host, with the path: no room, no permission. Nothing
/// is left then.
pub fn file(path: &Path, existing: Existing, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    check(path, existing)?;
    let partial = partial(path)?;
    let file = begin(&partial, path)?;
    let filled = fill(&file).and_then(|()| file.sync_all()).map_err(|e| cannot("write", path, &e));
    filled.and_then(|()| publish(&partial, path, existing)).inspect_err(|_| {
        let _ = fs::remove_file(&partial); // the error that matters is the first one
    })
}

/// `.partial-NAME`, beside it.
pub fn partial(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| {
        Error::input(format!("{} names no file", path.display()), "give the path of a file with --to")
    })?;
    Ok(path.with_file_name(format!(".partial-{}", name.to_string_lossy())))
}

/// Opens and locks the temporary file, and empties it.
fn begin(partial: &Path, path: &Path) -> Result<File> {
    let failed = |e: io::Error| cannot("write", path, &e);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    let file = options.open(partial).map_err(failed)?;
    lock(&file, path)?;
    // whoever had the lock before may have given this very file its name
    let same =
        fs::symlink_metadata(partial).is_ok_and(|named| file.metadata().is_ok_and(|ours| ours.ino() == named.ino()));
    if !same {
        return Err(busy(path));
    }
    file.set_len(0).map_err(failed)?;
    Ok(file)
}

/// # Errors
/// Blame Input when somebody else has it.
pub fn lock(file: &File, path: &Path) -> Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(busy(path)),
        Err(errno) => Err(cannot("lock", path, &errno.into())),
    }
}

fn busy(path: &Path) -> Error {
    Error::input(
        format!("another export is writing {}", path.display()),
        "wait for it to end, or give another name with --to",
    )
}

/// Gives the finished file or folder its name.
///
/// # Errors
/// Blame Input when somebody has taken the name in the meantime.
pub fn publish(partial: &Path, path: &Path, existing: Existing) -> Result<()> {
    let renamed = match existing {
        Existing::Replace => fs::rename(partial, path),
        Existing::Refuse => rename_new(partial, path),
    };
    renamed.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => taken(path),
        _ => cannot("write", path, &e),
    })
}

fn rename_new(partial: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, partial, CWD, path, RenameFlags::NOREPLACE) {
        // file systems without it (NFS) have hard links, which take nobody's place either
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(partial, path)?;
            fs::remove_file(partial)
        }
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn write(path: &Path, existing: Existing, bytes: &[u8]) -> Result<()> {
        file(path, existing, |mut file| file.write_all(bytes))
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn nobodys_place_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        write(&path, Existing::Refuse, b"first").unwrap();
        let error = write(&path, Existing::Refuse, b"second").unwrap_err();
        assert!(error.what.ends_with("is there already") && error.exit_code() == 2, "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write(&path, Existing::Replace, b"3").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"3");
        assert_eq!(names(folder.path()), ["disk"]);
    }

    /// The place is taken while we write.
    #[test]
    fn a_file_that_comes_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let error = file(&path, Existing::Refuse, |_| fs::write(&path, b"theirs")).unwrap_err();
        assert!(error.what.ends_with("is there already"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["disk"]);
    }

    #[test]
    fn two_at_once_and_one_that_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        fs::write(folder.path().join(".partial-disk"), vec![1; 1000]).unwrap();
        file(&path, Existing::Refuse, |_| {
            let error = write(&path, Existing::Refuse, b"second").unwrap_err();
            assert!(error.what.starts_with("another export is writing"), "{error}");
            Ok(())
        })
        .unwrap();
        assert_eq!((fs::read(&path).unwrap().len(), names(folder.path())), (0, vec!["disk".to_string()]));
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let full = |_: &File| Err(io::Error::from(io::ErrorKind::StorageFull));
        let error = file(&path, Existing::Refuse, full).unwrap_err();
        assert!(error.hint.contains("free some space"), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn folders_devices_and_links_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [Path::new("/dev/null"), folder.path(), &link] {
            let error = write(path, Existing::Replace, b"x").unwrap_err();
            assert!(error.what.ends_with("is no plain file"), "{error}");
        }
        std::os::unix::fs::symlink("/dev/full", folder.path().join(".partial-disk")).unwrap();
        assert!(write(&folder.path().join("disk"), Existing::Refuse, b"x").is_err());
    }
}
