//! What a child does between fork and its program's first instruction.
#![allow(unsafe_code)]

use crate::children::program::Program;
use crate::privileges;
use crate::stdio::{CHANNEL_FD, EXTRA_FD};
use rustix::io::{dup2, fcntl_setfd, FdFlags};
use rustix::process::{chdir, chroot, setrlimit, Pid, Rlimit};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::{fs::Gid, fs::Uid};
use std::ffi::CStr;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A program with all that it will ever have: no capability now or ever, no new privileges, limits, a root of its
/// own, PID 1's /dev/null as 0 to 2, `channel` as 3, `extra` as 4.
pub struct Confined {
    pub program: Program,
    /// What is run: the program's path does not exist in its root.
    pub binary: OwnedFd,
    pub channel: OwnedFd,
    pub extra: Option<OwnedFd>,
}

impl Confined {
    /// Starts it; the caller keeps only its number.
    pub fn start(self) -> Result<Pid> {
        // The name is never looked up: the closure below does not return when all is well
        let mut command = Command::new("/");
        let prepare = move || Err(self.become_program());
        // SAFETY: between fork and exec only async-signal-safe work is allowed. The closure makes raw system calls
        // on descriptors and numbers it owns; it neither allocates nor takes a lock, and PID 1 has a single thread.
        unsafe { command.pre_exec(prepare) };
        let child = command.spawn()?;
        // Our copies of the descriptors live in the command: without dropping it, the child's end is not seen
        drop(command);
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| Error::from_raw_os_error(libc::ESRCH))
    }

    /// Returns only when something failed.
    fn become_program(&self) -> Error {
        match self.confine() {
            Ok(()) => self.run(),
            Err(error) => error,
        }
    }

    fn confine(&self) -> Result<()> {
        hand_over(&self.channel, CHANNEL_FD)?;
        if let Some(extra) = &self.extra {
            hand_over(extra, EXTRA_FD)?;
        }
        forget_other_descriptors()?;
        self.program.enter()
    }

    /// execveat(2) of the descriptor, with the path as the only argument and an empty environment.
    fn run(&self) -> Error {
        let arguments = [self.program.path.as_ptr(), std::ptr::null()];
        let environment: [*const libc::c_char; 1] = [std::ptr::null()];
        // SAFETY: all pointers are to constants or to arrays of this frame, which end with a null pointer
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                self.binary.as_raw_fd(),
                c"".as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        Error::last_os_error()
    }
}

impl Program {
    /// Everything but descriptors: makes the calling process one that may do no more than this program. Makes
    /// system calls only.
    pub fn enter(&self) -> Result<()> {
        for (resource, limit) in self.limits {
            setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        privileges::empty_bounding_set()?;
        set_no_new_privs(true)?;
        chroot(self.root)?;
        chdir(c"/")?;
        let (uid, gid) = (Uid::from_raw(self.user), Gid::from_raw(self.user));
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        // Leaving uid 0 clears every capability set (capabilities(7))
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

/// Looks at files as a child's user and group (setfsuid(2)): what the kernel shows of a process to its own user only.
/// No right is gained or lost for longer than that.
pub fn as_file_system_user<T>(user: u32, work: impl FnOnce() -> T) -> T {
    // SAFETY: numbers only; these calls change what this thread may see of files and nothing else. PID 1 has one thread,
    // and `work` cannot unwind: a panic is the end of the machine
    unsafe {
        libc::setfsgid(user);
        libc::setfsuid(user);
    }
    let done = work();
    // SAFETY: as above, back to root
    unsafe {
        libc::setfsuid(0);
        libc::setfsgid(0);
    }
    done
}

/// Makes the calling process two: `None` in the new one, its number in the old one.
pub fn fork() -> Result<Option<Pid>> {
    // SAFETY: PID 1 has a single thread, so nothing can be held by another one, and both may do whatever it did
    match unsafe { libc::fork() } {
        -1 => Err(Error::last_os_error()),
        0 => Ok(None),
        child => Pid::from_raw(child).map(Some).ok_or_else(|| Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// Mounts are the calling process' own from now on.
pub fn own_mounts() -> Result<()> {
    unshare(libc::CLONE_NEWNS)
}

/// The calling process has no network from now on: a new one, with nothing but a `lo` that is down.
pub fn own_network() -> Result<()> {
    unshare(libc::CLONE_NEWNET)
}

fn unshare(what: libc::c_int) -> Result<()> {
    // SAFETY: a number; these two kinds change neither memory nor descriptors
    match unsafe { libc::unshare(what) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Becomes another program, with its path as the only argument. Returns only when that fails.
pub fn become_program(path: &'static CStr, environment: &[&'static CStr; 2]) {
    let arguments = [path.as_ptr(), std::ptr::null()];
    let environment = [environment[0].as_ptr(), environment[1].as_ptr(), std::ptr::null()];
    // SAFETY: all pointers are to constants or to arrays of this frame, which end with a null pointer
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
}

/// Puts a descriptor onto a fixed number and lets it live through exec.
fn hand_over(descriptor: &OwnedFd, number: i32) -> Result<()> {
    if descriptor.as_raw_fd() == number {
        return Ok(fcntl_setfd(descriptor, FdFlags::empty())?);
    }
    // SAFETY: 3 and 4 are open (`stdio::silence` keeps /dev/null there for ever) and nobody else uses them;
    // `forget` below keeps this second owner from closing it.
    let mut target = unsafe { OwnedFd::from_raw_fd(number) };
    let result = dup2(descriptor, &mut target);
    std::mem::forget(target);
    Ok(result?)
}

/// Whatever PID 1 has open ends with exec, also what some library opened without saying so. (They are not closed
/// here: by one of them PID 1 learns that exec worked.)
fn forget_other_descriptors() -> Result<()> {
    // SAFETY: takes numbers and changes a flag of this process' own descriptors
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, EXTRA_FD + 1, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

#[cfg(test)]
#[path = "sys_tests.rs"]
mod tests;
