//! The folder: a mounted EFI system partition, or one that a web server hands out for HTTP boot.

use super::write;
use crate::out::cannot;
use rustix::fs::{flock, statfs, FlockOperation};
use rustix::io::Errno;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

/// UEFI 2.10, §3.5.1.1.
const BOOT: &str = "EFI/BOOT/BOOTX64.EFI";
const OURS: &str = "EFI/vitrine";
const STATEMENT: &str = ".dsse.json";
/// `f_type` of FAT (statfs(2)).
const MSDOS_SUPER_MAGIC: u64 = 0x4d44;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Two slots, `a` and `b`, and a copy of one of them where firmware looks.
    Esp,
    /// Two slots, named by their versions, and a link to one of them.
    Netboot,
}

/// What it is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Look,
    Change,
}

/// Where a slot's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `a`, or `exit-1.0.0-3f2a91bc`.
    pub name: String,
    pub image: PathBuf,
    pub statement: PathBuf,
}

/// A folder, locked for this process.
#[derive(Debug)]
pub struct Place {
    pub folder: PathBuf,
    pub layout: Layout,
    _lock: File,
}

impl Place {
    /// An EFI system partition is a folder with an `EFI` in it, or on a FAT file system; all others are for netboot.
    ///
    /// # Errors
    /// Blame Input when somebody else is changing it; Host when it cannot be read, or changed.
    pub fn open(folder: &Path, access: Access) -> Result<Self> {
        let lock = File::open(folder).map_err(|e| cannot("open folder", folder, &e))?;
        take(&lock, folder, access)?;
        let fat = || statfs(folder).is_ok_and(|found| found.f_type as u64 == MSDOS_SUPER_MAGIC);
        let layout = if folder.join("EFI").is_dir() || fat() { Layout::Esp } else { Layout::Netboot };
        let place = Self { folder: folder.to_owned(), layout, _lock: lock };
        if access == Access::Change {
            place.prepare()?;
        }
        Ok(place)
    }

    /// Makes our folders, and takes away what killed commands have left.
    fn prepare(&self) -> Result<()> {
        if self.layout == Layout::Esp {
            for folder in [self.ours(), self.folder.join("EFI/BOOT")] {
                fs::create_dir_all(&folder).map_err(|e| cannot("make folder", &folder, &e))?;
                write::clear(&folder)?;
            }
        }
        write::clear(&self.revocations())?;
        write::clear(&self.ours())
    }

    /// Where slots and `slots.json` are.
    pub fn ours(&self) -> PathBuf {
        match self.layout {
            Layout::Esp => self.folder.join(OURS),
            Layout::Netboot => self.folder.clone(),
        }
    }

    pub fn floor(&self) -> PathBuf {
        self.ours().join("slots.json")
    }

    pub fn revocations(&self) -> PathBuf {
        self.ours().join("revocations")
    }

    /// A slot of this name.
    pub fn slot(&self, name: &str) -> Paths {
        let path = |end: &str| self.ours().join(format!("{name}{end}"));
        Paths { name: name.into(), image: path(".efi"), statement: path(STATEMENT) }
    }

    /// Both slots of an EFI system partition, filled or not; all that have a statement in a netboot folder.
    pub fn slots(&self) -> Result<Vec<Paths>> {
        if self.layout == Layout::Esp {
            return Ok(["a", "b"].map(|name| self.slot(name)).into());
        }
        let names = self.names()?;
        let stems = names.iter().filter_map(|name| name.strip_suffix(STATEMENT)).filter(|stem| !stem.starts_with('.'));
        Ok(stems.map(|stem| self.slot(stem)).collect())
    }

    /// What machines start: a file, or a link to one.
    ///
    /// # Errors
    /// When a netboot folder serves several images: their slots would mix.
    pub fn active(&self) -> Result<Option<PathBuf>> {
        if self.layout == Layout::Esp {
            return Ok(Some(self.folder.join(BOOT)));
        }
        let names = self.names()?;
        let links: Vec<&String> = names
            .iter()
            .filter(|name| name.ends_with(".efi") && !name.starts_with('.') && self.folder.join(name).is_symlink())
            .collect();
        match links[..] {
            [] => Ok(None),
            [link] => Ok(Some(self.folder.join(link))),
            _ => {
                let what = format!("{} serves {} images", self.folder.display(), links.len());
                Err(Error::input(what, "give each image a folder of its own: slots are kept for one"))
            }
        }
    }

    /// Where the image of this name is started from.
    pub fn active_for(&self, image_name: &str) -> PathBuf {
        match self.layout {
            Layout::Esp => self.folder.join(BOOT),
            Layout::Netboot => self.folder.join(format!("{image_name}.efi")),
        }
    }

    fn names(&self) -> Result<BTreeSet<String>> {
        let failed = |e: std::io::Error| cannot("read folder", &self.folder, &e);
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        Ok(names)
    }
}

fn take(lock: &File, folder: &Path, access: Access) -> Result<()> {
    let operation = match access {
        Access::Look => FlockOperation::NonBlockingLockShared,
        Access::Change => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(lock, operation) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => {
            let what = format!("another `vitrine slots` is at work in {}", folder.display());
            Err(Error::input(what, "wait for it to end"))
        }
        Err(errno) => Err(cannot("lock", folder, &errno.into())),
    }
}
