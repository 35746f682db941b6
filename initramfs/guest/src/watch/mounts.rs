//! `watch.mounts`: the mount table (proc_pid_mountinfo(5)) is what PID 1 has made, and stays so.
//!
//! ```text
//! 25 1 0:23 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=1024k,nr_inodes=64,mode=777
//!  0 1  2   3  4    5                      -  kind  source  options of the file system
//! ```
//! The first look compares with what may be, every later one with the first, byte by byte.

use super::buffer::Buffer;
use crate::stop::{OrStop as _, Step};
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

/// File systems in RAM. procfs, sysfs, tracefs, debugfs, pstore, securityfs are not among them, and no disk's.
const KINDS: [&[u8]; 4] = [b"rootfs", b"tmpfs", b"ramfs", b"devtmpfs"];
/// Where PID 1 could write; no child sees these.
const WRITABLE: [&[u8]; 2] = [b"/tmp", b"/var/log"];

pub struct Mounts {
    /// Tells of changes by itself: `POLLPRI`.
    pub table: OwnedFd,
    first: Option<Sha256>,
}

impl Mounts {
    pub fn new(table: OwnedFd) -> Self {
        Self { table, first: None }
    }

    pub fn look(&mut self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        let bytes = buffer.file(&self.table)?;
        let (table, fine) = (Sha256::of(bytes), may_be(bytes).or_stop("watch-form")?);
        let same = *self.first.get_or_insert(table) == table;
        Ok((!fine || !same).then_some(Rule::Mounts))
    }
}

/// None: a line has another form.
pub(super) fn may_be(table: &[u8]) -> Option<bool> {
    let mut lines = table.split(|&c| c == b'\n').filter(|line| !line.is_empty());
    lines.try_fold(true, |fine, line| Some(mount_may_be(line)? && fine))
}

fn mount_may_be(line: &[u8]) -> Option<bool> {
    let words: Vec<&[u8]> = line.split(|&c| c == b' ').collect();
    let separator = words.iter().position(|word| *word == b"-")?;
    let word = |at: usize| words.get(at).copied();
    let (place, flags, kind, options) = (word(4)?, word(5)?, word(separator + 1)?, word(separator + 3)?);
    let writable = has_option(flags, b"rw") && has_option(options, b"rw");
    Some(KINDS.contains(&kind) && (!writable || WRITABLE.contains(&place)))
}

fn has_option(list: &[u8], option: &[u8]) -> bool {
    list.split(|&c| c == b',').any(|entry| entry == option)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the image has it.
    const GOOD: &str = "1 1 0:2 / / ro,nosuid,nodev - rootfs rootfs ro\n\
        25 1 0:23 / /run ro,nosuid,nodev,noexec - tmpfs tmpfs ro,size=1024k,nr_inodes=64,mode=755\n\
        26 1 0:24 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=1024k,nr_inodes=64\n\
        27 1 0:25 / /var/log rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=64k\n\
        31 29 0:5 /tpmrm0 /run/agent/dev/tpmrm0 ro,nosuid,noexec - devtmpfs devtmpfs rw,size=4k\n";

    #[test]
    fn the_image_may_be() {
        assert_eq!(may_be(GOOD.as_bytes()), Some(true));
        assert_eq!(may_be(b""), Some(true));
    }

    #[test]
    fn others_may_not() {
        for line in [
            "32 1 8:1 / /mnt ro - ext4 /dev/sda1 ro",
            "32 1 0:6 / /sys/kernel/debug rw - debugfs debugfs rw",
            "32 1 0:7 / /sys/kernel/tracing ro - tracefs tracefs ro",
            "32 1 0:21 / /proc rw - proc proc rw",
            "32 1 0:23 / /run rw shared:1 - tmpfs tmpfs rw",
            "32 1 0:2 / / rw - rootfs rootfs rw",
            "32 1 0:9 / /tmp/more rw - tmpfs tmpfs rw",
            "32 1 0:30 / /tmp rw - fuse.vault vault rw",
        ] {
            assert_eq!(may_be(format!("{GOOD}{line}\n").as_bytes()), Some(false), "{line}");
        }
    }

    #[test]
    fn other_forms_cannot_be_judged() {
        for line in ["x", "1 1 0:2 / / ro rootfs rootfs ro", "1 - tmpfs t rw", "1 1 0:2 / / ro - tmpfs"] {
            assert_eq!(may_be(line.as_bytes()), None, "{line}");
        }
    }
}
