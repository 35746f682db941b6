//! What systemd and its userland see: mounted over what PID 1 had, in PID 1's own mounts. The server keeps the others.
//!
//! ```text
//! /proc, /sys      read-only as a whole: no setting can be written
//! /sys/fs/cgroup   for systemd
//! /dev             null, zero, full, random, urandom: no console, no kernel log, no TPM, no memory, no disk
//! /run             a tmpfs of its own
//! /tmp, /var/log   as they were: small tmpfs
//! ```

use crate::stop::{OrStop, Step};
use rustix::fs::{makedev, mkdir, mknodat, FileType, Mode, CWD};
use rustix::mount::{mount, mount_remount, MountFlags};
use std::ffi::CStr;

const SEALED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const FIXED: MountFlags = SEALED.union(MountFlags::RDONLY);

struct Place {
    target: &'static CStr,
    kind: &'static CStr,
    flags: MountFlags,
    data: Option<&'static CStr>,
}

/// In this order. systemd mounts what is not mounted, and may not mount: all that it insists on has to be here.
const PLACES: [Place; 6] = [
    Place { target: c"/proc", kind: c"proc", flags: FIXED, data: None },
    Place { target: c"/sys", kind: c"sysfs", flags: FIXED, data: None },
    Place { target: c"/sys/fs/cgroup", kind: c"cgroup2", flags: SEALED, data: Some(c"nsdelegate") },
    Place {
        target: c"/dev",
        kind: c"tmpfs",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: Some(c"size=16k,nr_inodes=16,mode=0755"),
    },
    Place { target: c"/dev/shm", kind: c"tmpfs", flags: SEALED, data: Some(c"size=64k,nr_inodes=16,mode=1777") },
    // Units and their state: some 300 files
    Place { target: c"/run", kind: c"tmpfs", flags: SEALED, data: Some(c"size=4m,nr_inodes=4096,mode=0755") },
];

/// Character devices of major number 1 (the kernel's Documentation/admin-guide/devices.txt).
const NODES: [(&CStr, u32); 5] =
    [(c"/dev/null", 3), (c"/dev/zero", 5), (c"/dev/full", 7), (c"/dev/random", 8), (c"/dev/urandom", 9)];

/// Mounts everything in [`PLACES`].
pub fn close() -> Step {
    // What this makes is for every user of the userland
    rustix::process::umask(Mode::empty());
    for place in &PLACES {
        if place.target == c"/dev/shm" {
            fill_dev()?;
        }
        mount(c"none", place.target, place.kind, place.flags, place.data).or_stop("cage")?;
    }
    mount_remount(c"/dev", MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC, c"").or_stop("cage")
}

fn fill_dev() -> Step {
    for (path, minor) in NODES {
        let everybody = Mode::from_raw_mode(0o666);
        mknodat(CWD, path, FileType::CharacterDevice, everybody, makedev(1, minor)).or_stop("cage")?;
    }
    [c"/dev/shm", c"/dev/pts"].into_iter().try_for_each(|path| mkdir(path, Mode::from_raw_mode(0o755)).or_stop("cage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_reaches_a_console_or_keeps_anything() {
        for (path, _) in NODES {
            assert!([c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom"].contains(&path));
        }
        for place in PLACES.iter().filter(|place| place.kind == c"tmpfs") {
            let data = place.data.expect("a tmpfs has limits").to_str().expect("ASCII");
            assert!(data.contains("size=") && data.contains("nr_inodes="), "{data}");
        }
        for place in PLACES.iter().filter(|place| [c"/proc", c"/sys"].contains(&place.target)) {
            assert!(place.flags.contains(MountFlags::RDONLY));
        }
    }
}
