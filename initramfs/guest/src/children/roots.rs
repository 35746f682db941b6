//! The roots of the children, made while PID 1 may still mount. They need nothing later: a restart just enters one.
//!
//! ```text
//! /run/empty                         nothing, read-only
//! /run/agent/lib64                → usr/lib/x86_64-linux-gnu
//! /run/agent/usr/lib/x86_64-linux-gnu   the image's folder of libraries, read-only
//! /run/agent/dev/tpmrm0              the TPM, and no other device
//! ```

use super::program::{AGENT_ROOT, AGENT_USER, EMPTY_ROOT};
use crate::stop::{OrStop, Step};
use rustix::fs::{chownat, mkdir, open, symlink, AtFlags, Gid, Mode, OFlags, Uid, CWD};
use rustix::mount::{mount, mount_bind, mount_remount, MountFlags};
use std::ffi::CStr;

/// The kernel's TPM resource manager.
const TPM: &CStr = c"/dev/tpmrm0";
const LIBRARIES: &CStr = c"/usr/lib/x86_64-linux-gnu";
const SEALED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Gives the TPM to the agent's user.
///
/// # Errors
/// `no-tpm` when there is none: no tunnel without evidence.
pub fn hand_over_tpm() -> Step {
    let (uid, gid) = (Uid::from_raw(AGENT_USER), Gid::from_raw(AGENT_USER));
    chownat(CWD, TPM, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).or_stop("no-tpm")?;
    rustix::fs::chmod(TPM, Mode::RUSR | Mode::WUSR).or_stop("no-tpm")
}

/// Makes both. Call it after [`hand_over_tpm`].
pub fn prepare_roots() -> Step {
    small(EMPTY_ROOT)?;
    lock(EMPTY_ROOT)?;
    small(AGENT_ROOT)?;
    for folder in [c"/run/agent/usr", c"/run/agent/usr/lib", c"/run/agent/usr/lib/x86_64-linux-gnu", c"/run/agent/dev"]
    {
        mkdir(folder, Mode::from_raw_mode(0o755)).or_stop("roots")?;
        // PID 1's mask takes the bits of others away
        rustix::fs::chmod(folder, Mode::from_raw_mode(0o555)).or_stop("roots")?;
    }
    symlink(c"usr/lib/x86_64-linux-gnu", c"/run/agent/lib64").or_stop("roots")?;
    bind(LIBRARIES, c"/run/agent/usr/lib/x86_64-linux-gnu", MountFlags::NODEV)?;
    let node = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    open(c"/run/agent/dev/tpmrm0", node, Mode::empty()).or_stop("roots")?;
    bind(TPM, c"/run/agent/dev/tpmrm0", MountFlags::NOEXEC)?;
    lock(AGENT_ROOT)
}

/// A tmpfs for a handful of folders.
fn small(path: &CStr) -> Step {
    mkdir(path, Mode::from_raw_mode(0o755)).or_stop("roots")?;
    mount("tmpfs", path, "tmpfs", SEALED, Some(c"size=16k,nr_inodes=16,mode=0555")).or_stop("roots")
}

/// The whole file system becomes read-only, not one mount of it.
fn lock(path: &CStr) -> Step {
    mount_remount(path, MountFlags::RDONLY | SEALED, c"").or_stop("roots")
}

fn bind(what: &CStr, place: &CStr, more: MountFlags) -> Step {
    mount_bind(what, place).or_stop("roots")?;
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | more;
    mount_remount(place, flags, c"").or_stop("roots")
}
