//! Which descriptors the program gets, and which it cannot reach.
//!
//! ```text
//! 0 to 2              /dev/null, from init
//! 3 to files - 1      the program's own
//! PROGRAM_FD          what is run; closed by that, and no descriptor can have this number again: it is above the limit
//! PROGRAM_FD + 1      the socket to init. It stays open so that init sees the end; a byte sent over it is the end, too
//! ```

use rustix::fs::{openat2, Mode, OFlags, ResolveFlags, CWD};
use rustix::io::{dup3, DupFlags};
use rustix::process::{setrlimit, Resource, Rlimit};
use std::mem::forget;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use vitrine_attest::config::App;
use vitrine_sandbox::PROGRAM_FD;

/// Descriptor 3, the socket to init.
#[allow(unsafe_code)] // a descriptor that is there by agreement has no owner in Rust's sense yet
pub fn init_socket() -> UnixStream {
    // SAFETY: init hands over descriptor 3 for us to own; this runs once, before anything could open another one.
    // Were it missing, the first read fails and the program ends.
    unsafe { OwnedFd::from_raw_fd(3) }.into()
}

/// Opens the program, moves it and the socket to where the program's own limit does not reach, and sets that limit for ever.
pub fn put_away(app: &App, init: UnixStream) -> Option<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // A link would let one path name two programs: the watch compares paths
    let program = openat2(CWD, app.command.first()?.as_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()?;
    put(program, PROGRAM_FD, DupFlags::CLOEXEC)?;
    put(init.into(), PROGRAM_FD + 1, DupFlags::empty())?;
    let most = Some(u64::from(app.limits.files));
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).ok()
}

#[allow(unsafe_code)] // the number is ours by agreement with the sandbox, and nobody's yet
fn put(from: OwnedFd, number: i32, flags: DupFlags) -> Option<()> {
    // SAFETY: nothing is open there: descriptors are given out from the lowest on, and this program has five. It is never
    // closed by us (`forget`).
    let mut there = unsafe { OwnedFd::from_raw_fd(number) };
    let result = dup3(&from, &mut there, flags);
    forget(there);
    result.ok()
}
