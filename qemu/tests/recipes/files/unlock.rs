//! `unlock FILE`: takes the mark "immutable" off a file of efivarfs, which it puts on variables that it does not know (the
//! kernel's Documentation/filesystems/efivarfs.rst). What `chattr -i` would do; Debian's busybox has none.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

/// FS_IOC_SETFLAGS, `_IOW('f', 2, long)`
const SET_FLAGS: u64 = 0x4008_6602;

extern "C" {
    fn ioctl(fd: i32, request: u64, flags: *const i32) -> i32;
}

fn main() -> ExitCode {
    let unlocked = std::env::args().nth(1).and_then(|path| File::open(path).ok()).is_some_and(|file| {
        // SAFETY: the number lives until the call returns, and the kernel only reads it
        unsafe { ioctl(file.as_raw_fd(), SET_FLAGS, &0) == 0 }
    });
    if unlocked { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
