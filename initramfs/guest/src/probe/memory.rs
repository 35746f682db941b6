//! How much memory a process has had at most, as the kernel counts it (getrusage(2): ru_maxrss, KiB).

use crate::stop::say;
use rustix::process::Pid;
use std::mem::zeroed;

/// Says it for a child that has been killed, which stays to be reaped (waitid(2); the system call's fifth argument is
/// not in the C library's). The count begins before the child becomes its program: PID 1's own is its least value.
pub fn of_killed(name: &'static str, pid: Pid) {
    // SAFETY: both are plain numbers, for which zero is a value
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { (zeroed(), zeroed()) };
    // SAFETY: both live until the call returns
    let done = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PID,
            pid.as_raw_nonzero().get(),
            &raw mut info,
            libc::WEXITED | libc::WNOWAIT,
            &raw mut usage,
        )
    };
    if done == 0 {
        tell(name, &usage);
    }
}

pub fn of_init() {
    // SAFETY: plain numbers, for which zero is a value
    let mut usage: libc::rusage = unsafe { zeroed() };
    // SAFETY: it lives until the call returns
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } == 0 {
        tell("init", &usage);
    }
}

/// Four numbers in the life of a build that is never shipped: they may be leaked, for the sake of `say`.
fn tell(name: &'static str, usage: &libc::rusage) {
    say(&["probe: memory ", name, ": ", usage.ru_maxrss.to_string().leak(), " KiB"]);
}
