//! What systemd and its userland see: mounted over what PID 1 had, in PID 1's own mounts. The server keeps the others.
//!
//! ```text
//! /proc, /sys      read-only as a whole: no setting can be written, and no interface of the server is shown
//! /sys/fs/cgroup   for systemd
//! /dev             null, zero, full, random, urandom: no console, no kernel log, no TPM, no memory, no disk
//! /run, /tmp       tmpfs of its own
//! /var/log         the server's, where the watch sees every file
//! ```

use crate::stop::{OrStop, Step};
use rustix::fs::{chmod, makedev, mkdir, mknodat, FileType, Mode, CWD};
use rustix::mount::{mount, mount_remount, MountFlags};
use std::ffi::CStr;

const SEALED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const FIXED: MountFlags = SEALED.union(MountFlags::RDONLY);

struct Place {
    target: &'static CStr,
    kind: &'static CStr,
    flags: MountFlags,
    data: Option<&'static CStr>,
    code: &'static str,
}

/// In this order. systemd mounts what is not mounted, and may not mount: all that it insists on has to be here.
const PLACES: [Place; 7] = [
    Place { target: c"/proc", kind: c"proc", flags: FIXED, data: None, code: "cage-proc" },
    // Of the new network: it has no interface of the server's
    Place { target: c"/sys", kind: c"sysfs", flags: FIXED, data: None, code: "cage-sys" },
    Place {
        target: c"/sys/fs/cgroup",
        kind: c"cgroup2",
        flags: SEALED,
        data: Some(c"nsdelegate"),
        code: "cage-sys-fs-cgroup",
    },
    Place {
        target: c"/dev",
        kind: c"tmpfs",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: Some(c"size=16k,nr_inodes=16,mode=0755"),
        code: "cage-dev",
    },
    Place {
        target: c"/dev/shm",
        kind: c"tmpfs",
        flags: SEALED,
        data: Some(c"size=64k,nr_inodes=16,mode=1777"),
        code: "cage-dev-shm",
    },
    // Units and their state: some 300 files
    Place {
        target: c"/run",
        kind: c"tmpfs",
        flags: SEALED,
        data: Some(c"size=4m,nr_inodes=4096,mode=0755"),
        code: "cage-run",
    },
    Place {
        target: c"/tmp",
        kind: c"tmpfs",
        flags: SEALED,
        data: Some(c"size=64k,nr_inodes=64,mode=1777"),
        code: "cage-tmp",
    },
];

/// Path and minor number of a character device of major number 1 (the kernel's
/// Documentation/admin-guide/devices.txt).
type Node = (&'static CStr, u32);

#[cfg(not(feature = "probe"))]
const NODES: &[Node] =
    &[(c"/dev/null", 3), (c"/dev/zero", 5), (c"/dev/full", 7), (c"/dev/random", 8), (c"/dev/urandom", 9)];

/// In a probe systemd speaks to the kernel's log. No shipped program holds its name.
#[cfg(feature = "probe")]
const NODES: &[Node] = &[
    (c"/dev/null", 3),
    (c"/dev/zero", 5),
    (c"/dev/full", 7),
    (c"/dev/random", 8),
    (c"/dev/urandom", 9),
    (c"/dev/kmsg", 11),
];

/// Mounts everything in [`PLACES`]. The caller has left the server's network.
pub fn close() -> Step {
    // What this makes is for every user of the userland
    rustix::process::umask(Mode::empty());
    for place in &PLACES {
        if place.target == c"/dev/shm" {
            fill_dev()?;
        }
        mount(c"none", place.target, place.kind, place.flags, place.data).or_stop(place.code)?;
    }
    // The kernel gives its root to nobody to write, and systemd has no right to override that
    chmod(c"/sys/fs/cgroup", Mode::from_raw_mode(0o755)).or_stop("cage-sys-fs-cgroup")?;
    mount_remount(c"/dev", MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC, c"").or_stop("cage-dev")
}

fn fill_dev() -> Step {
    for &(path, minor) in NODES {
        let everybody = Mode::from_raw_mode(0o666);
        mknodat(CWD, path, FileType::CharacterDevice, everybody, makedev(1, minor)).or_stop("cage-nodes")?;
    }
    [c"/dev/shm", c"/dev/pts"]
        .into_iter()
        .try_for_each(|path| mkdir(path, Mode::from_raw_mode(0o755)).or_stop("cage-nodes"))
}

#[cfg(all(test, not(feature = "probe")))]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_reaches_a_console_or_keeps_anything() {
        for (path, _) in NODES {
            assert!([c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom"].contains(path));
        }
        for place in PLACES.iter().filter(|place| place.kind == c"tmpfs") {
            let data = place.data.expect("a tmpfs has limits").to_str().expect("ASCII");
            assert!(data.contains("size=") && data.contains("nr_inodes="), "{data}");
        }
        for place in PLACES.iter().filter(|place| [c"proc", c"sysfs"].contains(&place.kind)) {
            assert!(place.flags.contains(MountFlags::RDONLY));
        }
    }
}
