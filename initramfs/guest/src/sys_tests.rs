//! Real processes, started as PID 1 starts them. They need root, as PID 1 has it; elsewhere they say that they were
//! skipped.

use super::*;
use rustix::fs::{open, Mode, OFlags};
use rustix::process::{waitid, Resource, WaitId, WaitIdOptions};
use std::ffi::CStr;

const LIMITS: [(Resource, u64); 5] = [
    (Resource::Fsize, 0),
    (Resource::Core, 0),
    (Resource::Nofile, 33),
    (Resource::Nproc, 2),
    (Resource::Data, 64 << 20),
];

/// In the test, as in PID 1, 3 and 4 have to be taken. None: there is no root here.
fn start(path: &'static CStr, root: &'static CStr) -> Option<Result<Pid>> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: this needs root");
        return None;
    }
    let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut taken = vec![];
    while taken.iter().chain([&null()]).all(|fd: &OwnedFd| fd.as_raw_fd() <= EXTRA_FD) {
        taken.push(null());
    }
    let program = Program { path, becomes: None, user: 201, root, limits: LIMITS };
    let binary = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    Some(Confined { program, binary, channel: null(), extra: Some(null()) }.start())
}

/// Waits for the end, and gives what the kernel says about the process before it is reaped.
fn last_words(pid: Pid) -> (Option<i32>, String) {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(pid), ended).unwrap().unwrap();
    let number = pid.as_raw_nonzero().to_string();
    let file = |name: &str| std::fs::read_to_string(["/proc/", &number, "/", name].concat()).unwrap();
    let words = file("status") + &file("limits");
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).unwrap();
    (status.exit_status(), words)
}

#[test]
fn nothing_is_left_but_what_was_given() {
    let Some(started) = start(c"/usr/bin/true", c"/") else { return };
    let (status, words) = last_words(started.unwrap());
    assert_eq!(status, Some(0), "the program ran");
    for line in [
        "Uid:\t201\t201\t201\t201",
        "Gid:\t201\t201\t201\t201",
        "Groups:\t \n",
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(words.contains(line), "{line:?} is not in {words}");
    }
    let limit = |name: &str| words.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    for (name, value) in
        [("Max file size", "0"), ("Max core file size", "0"), ("Max open files", "33"), ("Max data size", "67108864")]
    {
        let line = limit(name);
        let found: Vec<&str> = line[name.len()..].split_ascii_whitespace().take(2).collect();
        assert_eq!(found, [value, value], "{name}");
    }
}

/// The program's path leads nowhere in its root, and still it is found: by its descriptor. What it links to is not.
#[test]
fn an_empty_root_is_empty() {
    static ROOT: &CStr = c"/tmp/vitrine-guest-empty-root";
    std::fs::create_dir_all("/tmp/vitrine-guest-empty-root").unwrap();
    let Some(started) = start(c"/usr/bin/true", ROOT) else { return };
    std::fs::remove_dir("/tmp/vitrine-guest-empty-root").unwrap();
    assert_eq!(started.unwrap_err().raw_os_error(), Some(libc::ENOENT), "its loader");
}

#[test]
fn a_missing_root_is_an_error() {
    let Some(started) = start(c"/usr/bin/true", c"/no such folder") else { return };
    assert_eq!(started.unwrap_err().raw_os_error(), Some(libc::ENOENT));
}
