//! PID 1's own descriptors: nothing can be printed, and 3 and 4 are kept free for children.

use crate::stop::{OrStop, Step};
use rustix::fs::{open, Mode, OFlags};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::os::fd::{AsRawFd as _, IntoRawFd as _};

/// The descriptor on which a child finds its channel to PID 1.
pub const CHANNEL_FD: i32 = 3;
/// Where the resolver finds the blocklist.
pub const EXTRA_FD: i32 = 4;

/// Points 0, 1, 2 to /dev/null and occupies 3 and 4 for ever, so that nothing else of PID 1 (such as the pipe by which
/// the standard library learns of a failed exec) sits where a child's descriptors are put.
pub fn silence() -> Step {
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).or_stop("null")?;
    dup2_stdin(&null).or_stop("null")?;
    dup2_stdout(&null).or_stop("null")?;
    if !cfg!(feature = "control-panic-name") {
        dup2_stderr(&null).or_stop("null")?;
    }
    // The kernel gives PID 1 no others, so the lowest free number was 3
    (null.as_raw_fd() == CHANNEL_FD).then_some(()).or_stop("null")?;
    let second = rustix::io::fcntl_dupfd_cloexec(&null, EXTRA_FD).or_stop("null")?;
    (second.as_raw_fd() == EXTRA_FD).then_some(()).or_stop("null")?;
    let _kept_open = (null.into_raw_fd(), second.into_raw_fd());
    Ok(())
}
