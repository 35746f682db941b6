//! The file systems of the running image. Everything that can be written is a small tmpfs in RAM.

use crate::stop::{OrStop, Step};
use rustix::fs::{mkdir, Mode};
use rustix::io::Errno;
use rustix::mount::{mount, mount_remount, unmount, MountFlags, UnmountFlags};
use std::ffi::CStr;

const SEALED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Where the firmware's event log is, once securityfs is mounted.
pub const FIRMWARE_LOG: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";
const SECURITYFS: &str = "/sys/kernel/security";

struct Place {
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    data: Option<&'static CStr>,
}

/// In this order. The tmpfs sizes are what a program may lose by mistake, not what anybody needs: our programs
/// write nothing there. Sizes are bytes of RAM, `nr_inodes` bounds the number of files.
const PLACES: [Place; 6] = [
    // hidepid=2: a process sees only its own entries. /proc, /sys and /dev go in `finish`.
    Place { target: "/proc", kind: "proc", flags: SEALED, data: Some(c"hidepid=2") },
    Place { target: "/sys", kind: "sysfs", flags: SEALED, data: None },
    // Needs device nodes, so no NODEV
    Place {
        target: "/dev",
        kind: "devtmpfs",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: Some(c"mode=0755"),
    },
    Place { target: "/run", kind: "tmpfs", flags: SEALED, data: Some(c"size=1m,nr_inodes=64,mode=0755") },
    Place { target: "/tmp", kind: "tmpfs", flags: SEALED, data: Some(c"size=1m,nr_inodes=64,mode=1777") },
    // A program that insists on a log writes into 64 KiB of RAM, which nobody reads
    Place { target: "/var/log", kind: "tmpfs", flags: SEALED, data: Some(c"size=64k,nr_inodes=16,mode=0755") },
];

/// Mounts everything in [`PLACES`].
pub fn mount_all() -> Step {
    make_directory("/var")?;
    for place in &PLACES {
        make_directory(place.target)?;
        mount(place.kind, place.target, place.kind, place.flags, place.data).or_stop("mount")?;
    }
    Ok(())
}

fn make_directory(path: &str) -> Step {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(_) => Err(crate::stop::Stop("mkdir")),
    }
}

/// Runs something while securityfs is mounted; it is there for the firmware's log only.
pub fn with_securityfs<T>(work: impl FnOnce() -> Step<T>) -> Step<T> {
    mount("securityfs", SECURITYFS, "securityfs", SEALED | MountFlags::RDONLY, None).or_stop("securityfs")?;
    let result = work();
    unmount(SECURITYFS, UnmountFlags::DETACH).or_stop("securityfs")?;
    result
}

/// Makes the root file system, where the image was unpacked, read-only: the superblock, not one mount of it.
pub fn lock_root() -> Step {
    mount_remount("/", MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID, c"").or_stop("root")
}

/// What the running server does not need goes away: /sys, /proc and with it every sysctl, /dev with every device.
/// What is needed of them is open already, or bound into a child's root. /run takes nothing new.
pub fn finish() -> Step {
    crate::stop::keep_console();
    unmount("/sys", UnmountFlags::DETACH).or_stop("unmount-sys")?;
    unmount("/proc", UnmountFlags::DETACH).or_stop("unmount-proc")?;
    unmount("/dev", UnmountFlags::DETACH).or_stop("unmount-dev")?;
    mount_remount("/run", SEALED | MountFlags::RDONLY, c"").or_stop("run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tmpfs_is_small_and_sealed() {
        for place in PLACES.iter().filter(|place| place.kind == "tmpfs") {
            let data = place.data.expect("a tmpfs has limits").to_str().expect("ASCII");
            assert!(data.contains("size=") && data.contains("nr_inodes="), "{}", place.target);
            assert_eq!(place.flags, SEALED, "{}", place.target);
        }
    }
}
