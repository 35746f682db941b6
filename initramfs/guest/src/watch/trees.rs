//! Views of the kernel that are attached nowhere: no path leads to them, no child inherits them, nothing can be written
//! through them.
//!
//! While PID 1 starts, it makes a mount of procfs and one of sysfs that are read-only and not part of any folder
//! (`fsopen`, `fsmount`). Of the first it opens the files that the watch needs and forgets the rest; a file that is
//! opened again through /proc/self/fd stays read-only, as its mount is. What is kept for ever is a second procfs with
//! `subset=pid`: processes, no settings, no kernel.

use crate::stop::{OrStop as _, Step};
use rustix::fs::{openat, Mode, OFlags};
use rustix::mount::{fsconfig_create, fsconfig_set_string, fsmount, fsopen, FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::os::fd::{AsFd, OwnedFd};

const ATTRIBUTES: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// A read-only mount that is part of no folder.
fn detached(kind: &str, option: Option<(&str, &str)>) -> Step<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).or_stop("watch-tree")?;
    if let Some((key, value)) = option {
        fsconfig_set_string(context.as_fd(), key, value).or_stop("watch-tree")?;
    }
    fsconfig_create(context.as_fd()).or_stop("watch-tree")?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, ATTRIBUTES).or_stop("watch-tree")
}

/// Lives while the watch is opened.
pub struct Trees {
    proc: OwnedFd,
}

impl Trees {
    pub fn open() -> Step<Self> {
        Ok(Self { proc: detached("proc", None)? })
    }

    /// A file below /proc. None when this kernel has no such file.
    pub fn proc(&self, path: &str) -> Step<Option<OwnedFd>> {
        match openat(&self.proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => Ok(Some(file)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(_) => None.or_stop("watch-tree"),
        }
    }

    /// The same for a file that every kernel of ours has.
    pub fn required(&self, path: &str) -> Step<OwnedFd> {
        self.proc(path)?.or_stop("watch-tree")
    }
}

/// The processes, and nothing else of /proc.
pub fn processes() -> Step<OwnedFd> {
    detached("proc", Some(("subset", "pid")))
}
