//! The kernel of this machine as the judge: each rule with what must be seen, and what must not.

mod alone;
mod network;

use super::buffer::Buffer;
use super::trees::{self, Trees};
use super::*;
use rustix::fs::{openat, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::AsRawFd as _;
use vitrine_attest::watch::Rule;

/// What PID 1 keeps open leads nowhere: not to a setting that could be written, not out of the processes.
#[test]
fn kept_descriptors_give_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: this needs root");
        return;
    }
    let setting = Trees::open().unwrap().required("sys/kernel/printk").unwrap();
    let processes = trees::processes().unwrap();
    let through = |path: &str, flags| openat(&processes, path, flags, Mode::empty()).map(drop);
    let again = format!("self/fd/{}", setting.as_raw_fd());
    assert_eq!(through(&again, OFlags::RDONLY), Ok(()));
    assert_eq!(through(&again, OFlags::WRONLY), Err(Errno::ROFS), "read-only for ever");
    for path in ["sys/kernel/printk", "kcore", "kallsyms", "net/tcp", "sysrq-trigger", "modules"] {
        assert_eq!(through(path, OFlags::RDONLY), Err(Errno::NOENT), "{path}");
    }
    assert_eq!(through("self/oom_score_adj", OFlags::WRONLY), Err(Errno::ROFS));
    assert_eq!(through("self/mem", OFlags::RDWR), Err(Errno::ROFS));
    let names = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert_eq!(names, std::fs::read_to_string("/proc/1/mountinfo").unwrap_or(names.clone()), "attached nowhere");
}

/// A part that cannot be seen is a violation in the end, and not at once.
#[test]
fn blindness_is_found() {
    let mut failed = 0;
    let looks: Vec<bool> = (0..BLIND + 1).map(|_| is_blind(&mut failed, true)).collect();
    assert_eq!(looks.iter().position(|blind| *blind), Some(BLIND as usize - 1));
    assert!(!is_blind(&mut failed, false));
    assert_eq!(failed, 0);
    assert!(!is_blind(&mut failed, true));
}
