//! What procfs says of one process (proc_pid_stat(5), proc_pid_status(5)). Whoever ends while being looked at is gone, and
//! no error.

use crate::stop::{OrStop as _, Step};
use rustix::fs::{openat, readlinkat_raw, Mode, OFlags};
use rustix::io::{read, Errno};
use rustix::thread::CapabilitySet;
use std::ffi::CStr;
use std::io::Write as _;
use std::os::fd::OwnedFd;

/// Bytes of `stat` and `status`; they have some hundreds, `status` up to two thousand on machines of many processors.
const SIZE: usize = 4096;
/// Bytes of a link: the longest path of a program of the image has a tenth of that.
const LINK: usize = 512;

/// The process, or its descriptor, is not there any more.
pub fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::SRCH)
}

/// The number that is a folder's name, when it is one.
pub fn number(name: &CStr) -> Option<u32> {
    name.to_str().ok()?.parse().ok()
}

/// The number in `socket:[123]`.
pub fn socket(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    state: u8,
    pub parent: u32,
    flags: u32,
}

impl Stat {
    /// `number (name) state parent group session tty terminal flags …`; the name may hold anything.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let name_end = bytes.iter().rposition(|&c| c == b')')?;
        let mut words = std::str::from_utf8(&bytes[name_end + 1..]).ok()?.split_ascii_whitespace();
        let state = *words.next()?.as_bytes().first()?;
        Some(Self { state, parent: words.next()?.parse().ok()?, flags: words.nth(4)?.parse().ok()? })
    }

    /// PF_KTHREAD (linux/sched.h): no program in user space can have it.
    pub fn is_kernel_thread(self) -> bool {
        self.flags & 0x0020_0000 != 0
    }

    /// PF_EXITING, a zombie, or dead: no instruction of a program will run any more.
    pub fn is_ending(self) -> bool {
        self.flags & 0x4 != 0 || matches!(self.state, b'Z' | b'X')
    }
}

/// What a child must have and must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Real, effective, saved, of the file system.
    users: [u32; 4],
    groups: [u32; 4],
    /// Inheritable, permitted, effective, bounding, ambient.
    capabilities: [u64; 5],
    no_new_privileges: bool,
    pub tracer: u32,
}

impl Status {
    /// As PID 1 starts every child.
    pub fn confined(user: u32) -> Self {
        Self { users: [user; 4], groups: [user; 4], no_new_privileges: true, ..Self::default() }
    }

    /// No right beyond these, in no set, and none to be had; and nobody looks into it.
    pub fn is_within(&self, rights: CapabilitySet) -> bool {
        self.tracer == 0 && self.capabilities.iter().all(|set| set & !rights.bits() == 0)
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let four = |name: &str| {
            let numbers: Vec<u32> = field(name)?.split_ascii_whitespace().map_while(|n| n.parse().ok()).collect();
            <[u32; 4]>::try_from(numbers).ok()
        };
        let capability = |name: &str| u64::from_str_radix(field(name)?.trim(), 16).ok();
        let mut capabilities = [0; 5];
        for (place, name) in capabilities.iter_mut().zip(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
            *place = capability(name)?;
        }
        Some(Self {
            users: four("Uid")?,
            groups: four("Gid")?,
            capabilities,
            no_new_privileges: field("NoNewPrivs")?.trim() == "1",
            tracer: field("TracerPid")?.trim().parse().ok()?,
        })
    }
}

pub fn stat(tree: &OwnedFd, pid: u32) -> Step<Option<Stat>> {
    parsed(tree, pid, "stat", Stat::parse)
}

pub fn status(tree: &OwnedFd, pid: u32) -> Step<Option<Status>> {
    parsed(tree, pid, "status", Status::parse)
}

fn parsed<T>(tree: &OwnedFd, pid: u32, name: &str, parse: impl Fn(&[u8]) -> Option<T>) -> Step<Option<T>> {
    let mut room = [0; SIZE];
    match open(tree, pid, name, OFlags::RDONLY).and_then(|file| read(file, &mut room)) {
        Ok(length) => parse(&room[..length]).or_stop("watch-form").map(Some),
        Err(error) if is_gone(error) => Ok(None),
        Err(_) => None.or_stop("watch-read"),
    }
}

/// Where a link of the process leads.
pub fn link(tree: &OwnedFd, pid: u32, name: &str) -> Step<Option<Vec<u8>>> {
    let (mut room, mut target) = ([0; 32], [0; LINK]);
    match readlinkat_raw(tree, path(&mut room, pid, name).or_stop("watch-form")?, &mut target) {
        Ok(length) => Ok(Some(target[..length].to_vec())),
        Err(error) if is_gone(error) => Ok(None),
        Err(_) => None.or_stop("watch-read"),
    }
}

/// The same for a name in a folder that is open; None also when it cannot be read.
pub fn link_in(folder: &OwnedFd, name: &CStr) -> Option<Vec<u8>> {
    let mut target = [0; LINK];
    let length = readlinkat_raw(folder, name, &mut target).ok()?;
    Some(target[..length].to_vec())
}

pub fn folder(tree: &OwnedFd, pid: u32, name: &str) -> Step<Option<OwnedFd>> {
    match open(tree, pid, name, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if is_gone(error) => Ok(None),
        Err(_) => None.or_stop("watch-read"),
    }
}

fn open(tree: &OwnedFd, pid: u32, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mut room = [0; 32];
    openat(tree, path(&mut room, pid, name).ok_or(Errno::NAMETOOLONG)?, flags | OFlags::CLOEXEC, Mode::empty())
}

/// `<number>/<name>`.
fn path<'a>(room: &'a mut [u8; 32], pid: u32, name: &str) -> Option<&'a [u8]> {
    let mut rest = room.as_mut_slice();
    write!(rest, "{pid}/{name}").ok()?;
    let left = rest.len();
    Some(&room[..32 - left])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_of_strange_names() {
        let stat = Stat::parse(b"7 (a) b) R (x) S 1 7 7 0 -1 4194560 100 0").unwrap();
        assert_eq!(stat, Stat { state: b'S', parent: 1, flags: 4_194_560 });
        assert!(!stat.is_kernel_thread() && !stat.is_ending());
        assert!(Stat::parse(b"2 (kthreadd) S 0 0 0 0 -1 2129984 0").unwrap().is_kernel_thread());
        assert!(Stat::parse(b"9 (x) Z 1 9 9 0 -1 4227084 0").unwrap().is_ending());
        assert!(Stat::parse(b"9 (x) R 1 9 9 0 -1 4194308 0").unwrap().is_ending());
        for bad in [&b""[..], b"7 x S 1", b"7 (x", b"7 (x) S", b"7 (x) S -1 1 1 0 -1 0", b"7 (x) S 1 1 1 0 -1"] {
            assert_eq!(Stat::parse(bad), None);
        }
    }

    const STATUS: &str = "Name:\tagent\nTracerPid:\t0\nUid:\t200\t200\t200\t200\nGid:\t200\t200\t200\t200\n\
        CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n\
        CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn a_confined_child() {
        assert_eq!(Status::parse(STATUS.as_bytes()), Some(Status::confined(200)));
        for (from, to) in [
            ("Uid:\t200\t200", "Uid:\t200\t0"),
            ("Gid:\t200", "Gid:\t0"),
            ("CapBnd:\t0000000000000000", "CapBnd:\t0000000000002000"),
            ("CapEff:\t0000000000000000", "CapEff:\t0000000000000001"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("TracerPid:\t0", "TracerPid:\t9"),
        ] {
            assert!(STATUS.contains(from));
            assert_ne!(Status::parse(STATUS.replace(from, to).as_bytes()), Some(Status::confined(200)), "{to}");
        }
        assert_ne!(Status::parse(STATUS.as_bytes()), Some(Status::confined(201)));
        for bad in ["", "Uid:\t1\n", &STATUS.replace("Uid:\t200", "Uid:\tx")] {
            assert_eq!(Status::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn rights_of_a_neighbour() {
        let systemd = crate::privileges::SYSTEMD;
        let with = |from: &str, to: &str| Status::parse(STATUS.replace(from, to).as_bytes()).unwrap();
        let all = format!("CapBnd:\t{:016x}", systemd.bits());
        assert!(with("CapBnd:\t0000000000000000", &all).is_within(systemd) && with("", "").is_within(systemd));
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let admin = format!("{name}:\t{:016x}", CapabilitySet::NET_ADMIN.bits());
            assert!(!with(&format!("{name}:\t0000000000000000"), &admin).is_within(systemd), "{name}");
        }
        assert!(!with("TracerPid:\t0", "TracerPid:\t9").is_within(systemd));
    }

    #[test]
    fn names_and_links() {
        assert_eq!((number(c"17"), number(c"self"), number(c"-1")), (Some(17), None, None));
        assert_eq!((socket(b"socket:[123]"), socket(b"pipe:[123]"), socket(b"socket:[]")), (Some(123), None, None));
        let mut room = [0; 32];
        assert_eq!(path(&mut room, u32::MAX, "ns/mnt"), Some(&b"4294967295/ns/mnt"[..]));
        assert_eq!(path(&mut room, 1, "a name that is far too long for it"), None);
    }
}
