//! `watch.processes`, and what their descriptors show: `watch.deleted`, `watch.tracing`.
//!
//! PID 1 knows its children by number, because it has started them and not reaped them yet, and it is the parent of every
//! orphan. So a process in user space that it does not know is a violation by being there. Of a child, everything else
//! has to be as PID 1 made it: program, user, no capability, the namespaces of PID 1, no tracer.
//!
//! Where a link leads (`exe`, `fd`, `ns`) the kernel tells only who may look into the process (ptrace(2), "access mode
//! checking"): root without CAP_SYS_PTRACE may not, the process' own user may. PID 1 has CAP_SETUID and looks as that
//! user, by setfsuid(2); it needs no right that it would not have to have anyway.
//!
//! In an image with a userland the server is not PID 1. Then its own children are judged in the same way, and all others
//! by their rights: see `judge_stranger`.

use super::process::{self, Stat, Status};
use super::trees;
use crate::children::Known;
use crate::privileges::SYSTEMD;
use crate::stop::{OrStop as _, Step};
use crate::sys::as_file_system_user;
use crate::userland;
use rustix::fs::{openat, Mode, OFlags, RawDir};
use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

pub struct Processes {
    tree: OwnedFd,
    me: u32,
    /// The image has a userland: systemd is PID 1, and starts what the image has for it.
    userland: bool,
    /// PID 1's own, as at the first look.
    first: Option<Home>,
    /// Numbers (inodes) of PID 1's own sockets at the last look; None when it could not see them.
    pub sockets: Option<BTreeSet<u64>>,
}

/// What a process of the image has in common with PID 1, or PID 1 with itself.
#[derive(Clone, PartialEq, Eq)]
struct Home {
    program: Vec<u8>,
    mounts: Vec<u8>,
    network: Vec<u8>,
}

impl Processes {
    pub fn open() -> Step<Self> {
        let userland = userland::wanted()?;
        Ok(Self { tree: trees::processes()?, me: std::process::id(), userland, first: None, sockets: None })
    }

    pub fn look(&mut self, known: &[Known]) -> Step<Option<Rule>> {
        // PID 1 first: the others are compared with it
        if let Some(rule) = self.judge_self()? {
            return Ok(Some(rule));
        }
        for pid in self.numbers()? {
            if let Some(rule) = self.judge(pid, known)? {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    fn numbers(&self) -> Step<Vec<u32>> {
        let mut numbers = Vec::with_capacity(256);
        entries(&self.tree, c".", |name| numbers.extend(process::number(name)))?;
        Ok(numbers)
    }

    fn judge_self(&mut self) -> Step<Option<Rule>> {
        let home = home(&self.tree, self.me)?.or_stop("watch-self")?;
        let same = *self.first.get_or_insert_with(|| home.clone()) == home;
        let status = process::status(&self.tree, self.me)?.or_stop("watch-self")?;
        self.sockets = None;
        let mut sockets = BTreeSet::new();
        let open = descriptors(&self.tree, self.me, |link| sockets.extend(process::socket(link)))?;
        self.sockets = Some(sockets);
        Ok(match (same, status.tracer) {
            (false, _) => Some(Rule::Processes),
            (_, 1..) => Some(Rule::Tracing),
            _ => open,
        })
    }

    fn judge(&self, pid: u32, known: &[Known]) -> Step<Option<Rule>> {
        let Some(stat) = process::stat(&self.tree, pid)? else { return Ok(None) };
        if pid == self.me || stat.is_kernel_thread() {
            return Ok(None);
        }
        let Some(child) = known.iter().find(|child| child.is(pid)) else {
            return self.judge_stranger(pid, stat);
        };
        if stat.parent != self.me {
            return Ok(Some(Rule::Processes));
        }
        if stat.is_ending() {
            return Ok(None);
        }
        as_file_system_user(child.program.user, || self.judge_child(pid, child))
    }

    /// Beside a userland a process that is not ours is systemd, or was started by it. It is judged by its rights, which
    /// nobody can get back; what it runs the kernel shows to those alone who may look into it, and we may not.
    fn judge_stranger(&self, pid: u32, stat: Stat) -> Step<Option<Rule>> {
        if !self.userland || stat.parent == self.me {
            return Ok(Some(Rule::Processes));
        }
        let Some(status) = process::status(&self.tree, pid)? else { return Ok(None) };
        Ok((!status.is_within(SYSTEMD)).then_some(Rule::Processes))
    }

    fn judge_child(&self, pid: u32, child: &Known) -> Step<Option<Rule>> {
        let (Some(status), Some(home)) = (process::status(&self.tree, pid)?, home(&self.tree, pid)?) else {
            return self.unless_ending(pid);
        };
        let Some(first) = &self.first else { return Ok(None) };
        let programs = [Some(child.program.path), child.program.becomes];
        let its_own = programs.into_iter().flatten().any(|path| path.to_bytes() == home.program);
        let wanted = Home { program: home.program.clone(), ..first.clone() };
        if status.tracer != 0 {
            return Ok(Some(Rule::Tracing));
        }
        if !its_own || home != wanted || status != Status::confined(child.program.user) {
            return Ok(Some(Rule::Processes));
        }
        descriptors(&self.tree, pid, |_| {})
    }

    /// It had no program or no descriptors any more: it has to be at its end.
    fn unless_ending(&self, pid: u32) -> Step<Option<Rule>> {
        let ends = process::stat(&self.tree, pid)?.is_none_or(Stat::is_ending);
        Ok((!ends).then_some(Rule::Processes))
    }
}

/// None: the process has ended.
fn home(tree: &OwnedFd, pid: u32) -> Step<Option<Home>> {
    let [program, mounts, network] = ["exe", "ns/mnt", "ns/net"].map(|name| process::link(tree, pid, name));
    Ok(match (program?, mounts?, network?) {
        (Some(program), Some(mounts), Some(network)) => Some(Home { program, mounts, network }),
        _ => None,
    })
}

/// Shows where each open descriptor leads, and says what is wrong with the first that must not be.
fn descriptors(tree: &OwnedFd, pid: u32, mut each: impl FnMut(&[u8])) -> Step<Option<Rule>> {
    let Some(folder) = process::folder(tree, pid, "fd")? else { return Ok(None) };
    let mut found = None;
    entries(&folder, c".", |name| {
        if found.is_none() && process::number(name).is_some() {
            // One that is closed meanwhile leads nowhere
            if let Some(link) = process::link_in(&folder, name) {
                each(&link);
                found = judge_link(&link);
            }
        }
    })?;
    Ok(found)
}

/// A file without a name, or a descriptor by which programs are watched.
fn judge_link(link: &[u8]) -> Option<Rule> {
    const TRACERS: [&[u8]; 7] = [
        b"anon_inode:bpf",
        b"anon_inode:[bpf",
        b"anon_inode:[perf_event]",
        b"anon_inode:[fanotify]",
        b"anon_inode:[userfaultfd]",
        b"anon_inode:[io_uring]",
        b"anon_inode:[seccomp",
    ];
    if link.ends_with(b" (deleted)") {
        return Some(Rule::Deleted);
    }
    TRACERS.iter().any(|tracer| link.starts_with(tracer)).then_some(Rule::Tracing)
}

/// The names in a folder of procfs.
fn entries(tree: &OwnedFd, path: &std::ffi::CStr, mut each: impl FnMut(&std::ffi::CStr)) -> Step {
    // A descriptor of its own: the place in a folder belongs to the descriptor
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = match openat(tree, path, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(error) if process::is_gone(error) => return Ok(()),
        Err(_) => return None.or_stop("watch-read"),
    };
    let mut room = [MaybeUninit::uninit(); 8192];
    let mut names = RawDir::new(&folder, &mut room);
    while let Some(name) = names.next() {
        match name {
            Ok(name) => each(name.file_name()),
            Err(error) if process::is_gone(error) => return Ok(()),
            Err(_) => return None.or_stop("watch-read"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        for fine in ["socket:[1]", "/dev/null", "anon_inode:[eventpoll]", "pidfd:[7]", "/dev/tpmrm0", "/etc/deleted"] {
            assert_eq!(judge_link(fine.as_bytes()), None, "{fine}");
        }
        for bad in ["/tmp/log (deleted)", "/memfd:log (deleted)", "/dev/zero (deleted)"] {
            assert_eq!(judge_link(bad.as_bytes()), Some(Rule::Deleted), "{bad}");
        }
        for bad in ["anon_inode:bpf-prog", "anon_inode:[perf_event]", "anon_inode:[fanotify]"] {
            assert_eq!(judge_link(bad.as_bytes()), Some(Rule::Tracing), "{bad}");
        }
    }
}
