//! The folder a build leaves its files in: one file per stage, each written whole or not at all.
//!
//! - A file is written under a temporary name and then renamed, so that nobody ever sees half of it.
//! - Before a build writes its first file it takes away those of the build before, the last stage first: what stands
//!   in the folder always belongs together, also after an interrupted build.
//! - A build holds a lock (flock(2)) on the folder; the kernel drops it when the build ends, however it ends.

use crate::hashing::Hashing;
use rustix::fs::{flock, FlockOperation};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use vitrine_attest::{Error, Result, Sha256};

pub const RECIPE: &str = "1-recipe.toml";
pub const LOCK: &str = "2-lock.toml";
pub const APP_AUDIT: &str = "app-audit.json";
pub const TREE: &str = "3-tree.txt";
pub const SCREEN: &str = "4-screen.json";
pub const INITRAMFS_ZSTD: &str = "5-initramfs.cpio.zst";
pub const INITRAMFS_GZIP: &str = "5-initramfs.cpio.gz";
pub const UNSIGNED: &str = "6-image.unsigned.efi";
pub const IMAGE: &str = "image.efi";
pub const PCRS: &str = "8-pcrs.json";
pub const STATEMENT: &str = "release.dsse.json";
pub const FINGERPRINT: &str = "fingerprint";
pub const SBOM: &str = "sbom.cdx.json";
pub const ZERO_LOG: &str = "zero-log.dsse.json";

/// Every file of a build, in the order of the stages.
pub const FILES: [&str; 14] = [
    RECIPE,
    LOCK,
    APP_AUDIT,
    TREE,
    SCREEN,
    INITRAMFS_ZSTD,
    INITRAMFS_GZIP,
    UNSIGNED,
    IMAGE,
    PCRS,
    SBOM,
    FINGERPRINT,
    ZERO_LOG,
    STATEMENT,
];

/// Held by the build that is writing.
const LOCK_FILE: &str = ".vitrine-build";
/// Bytes that are read at once to be hashed.
const CHUNK: usize = 256 << 10;
/// Begin of the temporary names.
const PARTIAL: &str = ".partial-";

/// An output folder, locked for this process.
#[derive(Debug)]
pub struct Out {
    dir: PathBuf,
    _lock: File,
    /// Hashes of what this build has written.
    written: Mutex<BTreeMap<String, Sha256>>,
}

impl Out {
    /// Makes the folder if need be, locks it, and takes away what an interrupted build left half-written.
    ///
    /// # Errors
    /// Blame Input when another build is writing there; Host when the folder cannot be written.
    pub fn begin(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| cannot("make folder", dir, &e))?;
        let path = dir.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| cannot("write", &path, &e))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::input(
                    format!("another build is writing to {}", dir.display()),
                    "wait for it to end, or give another folder with --out",
                ));
            }
            Err(errno) => return Err(cannot("lock", &path, &errno.into())),
        }
        let out = Self { dir: dir.to_owned(), _lock: lock, written: Mutex::default() };
        out.clear_partial()?;
        Ok(out)
    }

    fn clear_partial(&self) -> Result<()> {
        let entries = fs::read_dir(&self.dir).map_err(|e| cannot("read folder", &self.dir, &e))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Takes away the files of the build before, the last stage first. Files that are not a build's are left alone.
    pub fn clear(&self) -> Result<()> {
        if let Ok(mut written) = self.written.lock() {
            written.clear();
        }
        FILES.iter().rev().try_for_each(|name| remove(&self.dir.join(name)))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes what a step leaves behind.
    pub fn keep(&self, step: &(impl Leaves + Sync)) -> Result<()> {
        let known = |name: &'static str| step.digest(name);
        step.files()?.into_iter().try_for_each(|(name, bytes)| self.put(name, &bytes, || known(name)))
    }

    /// Writes one file of the folder, and hashes it meanwhile.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.put(name, bytes, || None)
    }

    fn put(&self, name: &str, bytes: &[u8], known: impl FnOnce() -> Option<Sha256> + Send) -> Result<()> {
        let digest = std::thread::scope(|scope| {
            let digest = scope.spawn(|| known().unwrap_or_else(|| Sha256::of(bytes)));
            write_atomic(&self.path(name), bytes)?;
            digest.join().map_err(|_| Error::bug(format!("the hash of {name} was not finished")))
        })?;
        if let Ok(mut written) = self.written.lock() {
            written.insert(name.to_string(), digest);
        }
        Ok(())
    }

    /// Names and hashes of what was written since the folder was cleared.
    pub fn written(&self) -> BTreeMap<String, Sha256> {
        self.written.lock().map(|written| written.clone()).unwrap_or_default()
    }

    /// Hash of a file as it is now; nothing when it is no plain file, or cannot be read.
    pub fn digest(&self, name: &str) -> Option<Sha256> {
        let path = self.path(name);
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut reader = Hashing::new(File::open(&path).ok()?);
        let mut chunk = vec![0; CHUNK];
        while io::Read::read(&mut reader, &mut chunk).ok()? > 0 {}
        Some(reader.finish())
    }
}

/// Names, of [`FILES`], and contents.
pub type Left<'a> = Vec<(&'static str, Cow<'a, [u8]>)>;

/// A step's result that leaves files in the output folder.
pub trait Leaves {
    fn files(&self) -> Result<Left<'_>>;

    /// SHA-256 of one of these files, where the step needs it anyway.
    fn digest(&self, _name: &str) -> Option<Sha256> {
        None
    }
}

/// Writes a file under a temporary name beside its place, then renames it. On an error nothing is left.
///
/// # Errors
/// Blame Host, with the path: no room, no permission.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::input(format!("{} names no file", path.display()), "give the path of a file"))?;
    let partial = path.with_file_name(format!("{PARTIAL}{}", name.to_string_lossy()));
    let written =
        File::create(&partial).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&partial, path));
    written.map_err(|e| {
        let _ = fs::remove_file(&partial); // the error that matters is the first one
        cannot("write", path, &e)
    })
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, &e)),
        _ => Ok(()),
    }
}

/// "cannot write out/image.efi: No space left on device"
pub fn cannot(verb: &str, path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space, or use a folder on another disk",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "use a folder that you may write to",
        io::ErrorKind::NotFound => "check the path",
        _ => "check the path and the disk",
    };
    Error::host(format!("cannot {verb} {}: {error}", path.display()), hint)
}

/// Reads a file that the user named.
///
/// # Errors
/// Blame Host, with the path; Input when it is longer than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let length = fs::metadata(path).map_err(|e| cannot("read", path, &e))?.len();
    if length > limit {
        return Err(Error::input(
            format!("{} has {length} bytes, at most {limit} are read", path.display()),
            "give the right file",
        ));
    }
    fs::read(path).map_err(|e| cannot("read", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_build_begins_empty_and_spares_foreign_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in [IMAGE, STATEMENT, ".partial-image.efi", "mine.txt"] {
            fs::write(dir.path().join(name), "old").unwrap();
        }
        let out = Out::begin(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [LOCK_FILE, IMAGE, "mine.txt", STATEMENT]);
        out.clear().unwrap();
        out.write(RECIPE, b"name").unwrap();
        assert_eq!(names(dir.path()), [LOCK_FILE, RECIPE, "mine.txt"]);
    }

    #[test]
    fn two_builds_in_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = Out::begin(dir.path()).unwrap();
        first.write(RECIPE, b"first").unwrap();
        let error = Out::begin(dir.path()).unwrap_err();
        assert!(error.what.starts_with("another build is writing to") && error.exit_code() == 2);
        assert_eq!(fs::read(dir.path().join(RECIPE)).unwrap(), b"first");
        drop(first);
        Out::begin(dir.path()).unwrap();
    }

    /// /dev/full answers every write with ENOSPC.
    #[test]
    fn disk_full_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join(".partial-x")).unwrap();
        let error = write_atomic(&dir.path().join("x"), b"data").unwrap_err();
        assert!(error.what.contains("No space left") && error.exit_code() == 2, "{error}");
        assert!(names(dir.path()).is_empty());
    }
}
