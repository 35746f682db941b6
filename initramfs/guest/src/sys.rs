//! The one place with unsafe code: what a child does between fork and exec.
#![allow(unsafe_code)]

use crate::privileges;
use crate::stdio::CHANNEL_FD;
use rustix::io::{dup2, fcntl_setfd, FdFlags};
use rustix::process::{setrlimit, Resource, Rlimit};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::{fs::Gid, fs::Uid};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What a child may use up. Numbers: files, threads and processes of its user, bytes of a file, bytes of a core dump.
const LIMITS: [(Resource, u64); 4] =
    [(Resource::Nofile, 256), (Resource::Nproc, 64), (Resource::Fsize, 0), (Resource::Core, 0)];

/// Makes the command run as `user`, with nothing but the channel: no capability now or ever, no new privileges,
/// limits, and `channel` as descriptor 3.
pub fn confine(command: &mut Command, user: u32, channel: OwnedFd) {
    let prepare = move || -> std::io::Result<()> {
        hand_over(&channel)?;
        for (resource, limit) in LIMITS {
            setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        privileges::empty_bounding_set()?;
        set_no_new_privs(true)?;
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        // Leaving uid 0 clears every capability set (capabilities(7))
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe work is allowed. The closure makes raw system calls on
    // descriptors and numbers it owns; it neither allocates nor takes a lock, and PID 1 has a single thread.
    unsafe { command.pre_exec(prepare) };
}

/// Puts the channel onto descriptor 3 and lets it live through exec.
fn hand_over(channel: &OwnedFd) -> std::io::Result<()> {
    if channel.as_raw_fd() == CHANNEL_FD {
        return Ok(fcntl_setfd(channel, FdFlags::empty())?);
    }
    // SAFETY: descriptor 3 is open (`stdio::silence` keeps /dev/null there for ever) and nobody else uses it;
    // `forget` below keeps this second owner from closing it.
    let mut target = unsafe { OwnedFd::from_raw_fd(CHANNEL_FD) };
    let result = dup2(channel, &mut target);
    std::mem::forget(target);
    Ok(result?)
}
