//! A running child.

use super::channel::Channel;
use super::program::Program;
use crate::stop::{OrStop, Step};
use crate::sys::Confined;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{open, Mode, OFlags};
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use rustix::process::{kill_process, pidfd_open, waitpid, Pid, PidfdFlags, Signal, WaitOptions};
use std::os::fd::OwnedFd;

/// A process that PID 1 has started and not yet reaped, so its number belongs to nobody else.
#[derive(Debug)]
pub struct Process {
    pub(super) pid: Pid,
    /// Becomes readable when it ends.
    end: OwnedFd,
}

impl Process {
    pub fn of(pid: Pid) -> Step<Self> {
        Ok(Self { pid, end: pidfd_open(pid, PidfdFlags::empty()).or_stop("child-start")? })
    }

    pub fn is(&self, pid: Pid) -> bool {
        self.pid == pid
    }

    /// To be polled: it has ended, and can be reaped.
    pub fn watch(&self) -> PollFd<'_> {
        PollFd::new(&self.end, PollFlags::IN)
    }

    /// Ends it for good; it is reaped by the loop.
    pub fn kill(&self) {
        // It may be gone already
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

/// A child that cannot be kept is not left to itself: the watch would take it for a stranger.
fn end(pid: Pid) {
    let _ = kill_process(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
}

/// With the socket over which it is spoken to. Dropping that ends the child as well: it reads the end of its input.
#[derive(Debug)]
pub struct Child {
    pub process: Process,
    pub channel: Channel,
}

impl Child {
    /// Starts a program with nothing but a channel, and `extra` as its descriptor 4.
    pub fn start(program: &Program, extra: Option<OwnedFd>) -> Step<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).or_stop("child-start")?;
        let binary = open(program.path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).or_stop("child-start")?;
        let pid = Confined { program: *program, binary, channel: theirs, extra }.start().or_stop("child-start")?;
        let process = Process::of(pid).inspect_err(|_| end(pid))?;
        Ok(Self { process, channel: Channel::new(ours) })
    }
}
