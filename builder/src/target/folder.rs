//! A folder with a root file system, read without ever leaving it.
//!
//! Every file is opened through openat2(2) relative to the folder, without following any link; other file systems
//! mounted inside are not entered. One file at a time is in memory for each thread.

use crate::out;
use rustix::fs::{fstat, fstatfs, openat2, readlinkat, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{printable, Item, Subject, Unjudged, What, LONGEST_NAME};

/// Largest single file, in bytes: as many as threads may be in memory at once.
const FILE_LIMIT: u64 = 256 << 20;
/// Bytes of all files together.
const TOTAL_LIMIT: u64 = 256 << 30;
/// Files, folders and links.
const ENTRY_LIMIT: usize = 5_000_000;

/// File systems that show the running kernel, and hold no files of their own (linux/magic.h): proc, sysfs, cgroup,
/// cgroup2, devpts, securityfs, debugfs, tracefs, bpf, mqueue, pstore, efivarfs, configfs, binfmt_misc, nsfs, autofs,
/// fusectl, selinuxfs, hugetlbfs.
const OF_THE_KERNEL: [u64; 19] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x1cd1,
    0x7363_6673,
    0x6462_6720,
    0x7472_6163,
    0xcafe_4a11,
    0x1980_0202,
    0x6165_676c,
    0xde5e_81e4,
    0x6265_6570,
    0x4249_4e4d,
    0x6e73_6673,
    0x0187,
    0x6573_5543,
    0xf97c_ff8c,
    0x9584_58f6,
];
/// tmpfs and ramfs: in memory, gone at the next boot; a root file system that is looked at has nothing there.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder's contents, by path.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    cross_mounts: bool,
    /// Relative to the folder, as bytes.
    paths: Vec<Vec<u8>>,
    unjudged: Vec<Unjudged>,
    skipped: Vec<String>,
    read: AtomicU64,
}

impl Folder {
    /// Lists a folder.
    ///
    /// # Errors
    /// When the folder itself cannot be opened. What cannot be read inside is noted.
    pub fn open(path: &Path, cross_mounts: bool) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| out::cannot("read", path, &e.into()))?;
        let (paths, unjudged, skipped) = (Vec::new(), Vec::new(), Vec::new());
        let mut folder = Self { root, cross_mounts, paths, unjudged, skipped, read: AtomicU64::new(0) };
        folder.probe(path)?;
        folder.walk();
        folder.paths.sort();
        folder.skipped.sort();
        Ok(folder)
    }

    pub fn unjudged(&self) -> &[Unjudged] {
        &self.unjudged
    }

    /// Paths of the kernel's own file systems.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// openat2(2) is there since Linux 5.6.
    fn probe(&self, path: &Path) -> Result<()> {
        match self.at(b".", OFlags::PATH, false) {
            Err(Errno::NOSYS) => Err(Error::host("this kernel has no openat2(2)", "use Linux 5.6 or later")),
            Err(e) => Err(out::cannot("read", path, &e.into())),
            Ok(_) => Ok(()),
        }
    }

    fn at(&self, path: &[u8], flags: OFlags, cross: bool) -> rustix::io::Result<OwnedFd> {
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        if !cross {
            resolve |= ResolveFlags::NO_XDEV;
        }
        openat2(&self.root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    fn walk(&mut self) {
        let mut folders = vec![Vec::new()];
        while let Some(folder) = folders.pop() {
            let path: &[u8] = if folder.is_empty() { b"." } else { &folder };
            match self.at(path, OFlags::RDONLY | OFlags::DIRECTORY, false) {
                Ok(fd) => self.list(&fd, &folder, &mut folders),
                Err(Errno::XDEV) => self.mounted(&folder, &mut folders),
                Err(e) => self.note("judge.file", &folder, format!("cannot be listed: {e}")),
            }
        }
    }

    fn list(&mut self, fd: &OwnedFd, folder: &[u8], folders: &mut Vec<Vec<u8>>) {
        let dir = match Dir::read_from(fd) {
            Ok(dir) => dir,
            Err(e) => return self.note("judge.file", folder, format!("cannot be listed: {e}")),
        };
        for entry in dir {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => return self.note("judge.file", folder, format!("cannot be listed to its end: {e}")),
            };
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let path = [folder, if folder.is_empty() { b"".as_slice() } else { b"/" }, name].concat();
            if self.paths.len() >= ENTRY_LIMIT {
                self.note("judge.bounds", folder, format!("there are more than {ENTRY_LIMIT} entries"));
                folders.clear();
                return;
            }
            if path.len() >= LONGEST_NAME {
                self.note("judge.bounds", folder, "holds a path that is longer than the kernel takes".into());
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                // some file systems do not say it here
                FileType::Unknown => self.stat(&path).is_ok_and(|stat| kind(&stat) == FileType::Directory),
                _ => false,
            };
            if is_folder {
                folders.push(path.clone());
            }
            self.paths.push(path);
        }
    }

    /// A folder on which another file system is mounted.
    fn mounted(&mut self, folder: &[u8], folders: &mut Vec<Vec<u8>>) {
        let fd = match self.at(folder, OFlags::RDONLY | OFlags::DIRECTORY, true) {
            Ok(fd) => fd,
            Err(e) => return self.note("judge.mount", folder, format!("cannot be listed: {e}")),
        };
        let kind = fstatfs(&fd).map_or(0, |stat| stat.f_type as u64);
        if OF_THE_KERNEL.contains(&kind) || (IN_MEMORY.contains(&kind) && !self.cross_mounts) {
            self.skipped.push(shown(folder));
        } else if self.cross_mounts {
            self.list(&fd, folder, folders);
        } else {
            self.note("judge.mount", folder, "another file system is mounted here".into());
        }
    }

    fn note(&mut self, rule: &'static str, path: &[u8], what: String) {
        self.unjudged.push(Unjudged { rule, path: shown(path), what });
    }

    fn stat(&self, path: &[u8]) -> rustix::io::Result<Stat> {
        fstat(self.at(path, OFlags::PATH, true)?)
    }

    /// `None`: it went away since the folder was listed.
    fn what(&self, path: &[u8]) -> Option<(What<'static>, u32, (u32, u32))> {
        let failed = |e: Errno| match e {
            Errno::NOENT => None,
            // a folder was dealt with when it was listed
            Errno::XDEV if self.stat(path).is_ok_and(|stat| kind(&stat) == FileType::Directory) => {
                Some((What::Folder, 0, (0, 0)))
            }
            e => Some((What::Unread(format!("cannot be read: {e}")), 0, (0, 0))),
        };
        let fd = match self.at(path, OFlags::PATH, self.cross_mounts) {
            Ok(fd) => fd,
            Err(e) => return failed(e),
        };
        let stat = match fstat(&fd) {
            Ok(stat) => stat,
            Err(e) => return failed(e),
        };
        let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let what = match kind(&stat) {
            FileType::Directory => What::Folder,
            FileType::RegularFile => match self.bytes(path, &stat) {
                Ok(bytes) => What::File(Cow::Owned(bytes)),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
                Err(e) => What::Unread(format!("cannot be read: {e}")),
            },
            FileType::Symlink => match readlinkat(&fd, c"", Vec::new()) {
                Ok(target) => What::Link(Cow::Owned(printable(target.as_bytes()))),
                Err(e) => What::Unread(format!("cannot be read: {e}")),
            },
            FileType::BlockDevice => What::Block(major, minor),
            FileType::CharacterDevice => What::Char(major, minor),
            _ => What::Other,
        };
        Some((what, stat.st_mode, (stat.st_uid, stat.st_gid)))
    }

    fn bytes(&self, path: &[u8], stat: &Stat) -> std::io::Result<Vec<u8>> {
        let too_large = |what: String| std::io::Error::new(std::io::ErrorKind::FileTooLarge, what);
        let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if length > FILE_LIMIT {
            return Err(too_large(format!("it has {length} bytes, at most {FILE_LIMIT} are read")));
        }
        if self.read.fetch_add(length, Ordering::Relaxed) > TOTAL_LIMIT {
            return Err(too_large(format!("more than {TOTAL_LIMIT} bytes were read already")));
        }
        let fd = self.at(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, self.cross_mounts)?;
        // room for what it says it has, which is bounded above; it may have grown
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
        File::from(fd).take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_LIMIT {
            return Err(too_large(format!("it has more than {FILE_LIMIT} bytes")));
        }
        Ok(bytes)
    }
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// A relative path as findings show it.
fn shown(path: &[u8]) -> String {
    format!("/{}", printable(path))
}

impl Subject for Folder {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn visit(&self, number: usize, see: &mut dyn FnMut(&Item<'_>)) {
        let Some(path) = self.paths.get(number) else { return };
        let Some((what, mode, owner)) = self.what(path) else { return };
        see(&Item { path: Cow::Owned(shown(path)), mode, owner, what, sha256: None });
    }
}

#[cfg(test)]
mod tests;
