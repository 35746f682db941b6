//! Processes, mounts and files in namespaces of their own, where this test is process number 1.

use super::*;
use crate::children::program::Program;
use crate::sys::Confined;
use rustix::fs::{memfd_create, open, MemfdFlags};
use rustix::mount::{mount, mount_remount, MountFlags};
use rustix::process::{kill_process, waitpid, Pid, Signal, WaitOptions};
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

/// Runs the test of this name in a child that is alone; true in that child.
fn alone(name: &str) -> bool {
    if std::env::var_os("VITRINE_ALONE").is_some() {
        return true;
    }
    let test = std::env::current_exe().unwrap();
    let run = Command::new("unshare")
        .args(["--pid", "--fork", "--mount", "--net", "--mount-proc", "--kill-child"])
        .arg(test)
        .args([&format!("watch::tests::alone::{name}"), "--exact", "--nocapture", "--test-threads=1"])
        .env("VITRINE_ALONE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    if said.contains("unshare failed") {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to make namespaces");
        eprintln!("skipped: namespaces need root");
        return false;
    }
    assert!(run.status.success(), "{said}");
    false
}

/// A program as PID 1 starts its children; it does not end by itself.
fn confined(user: u32) -> Known {
    const PATH: &CStr = c"/usr/bin/yes";
    let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut taken: Vec<OwnedFd> = vec![];
    while taken.iter().chain([&null()]).all(|fd| fd.as_raw_fd() <= crate::stdio::EXTRA_FD) {
        taken.push(null());
    }
    let program =
        Program { path: PATH, becomes: None, user, root: c"/", limits: crate::children::program::METRICS.limits };
    let binary = open(PATH, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    // Its output is the parent's
    rustix::stdio::dup2_stdout(null()).unwrap();
    let pid = Confined { program, binary, channel: null(), extra: None }.start().unwrap();
    // 3 and 4 stay taken
    std::mem::forget(taken);
    Known { pid, program }
}

fn sleeper() -> Child {
    Command::new("/usr/bin/sleep").arg("60").spawn().unwrap()
}

#[test]
fn processes_are_known_ones() {
    if !alone("processes_are_known_ones") {
        return;
    }
    let mut processes = Processes::open().unwrap();
    // What is left to PID 1 is enough
    crate::privileges::drop_most().unwrap();
    assert_eq!(processes.look(&[]), Ok(None));
    let child = confined(201);
    assert_eq!(processes.look(&[child]), Ok(None), "as PID 1 has started it");
    assert_eq!(processes.look(&[]), Ok(Some(Rule::Processes)), "somebody else's");

    let other = |change: fn(&mut Program)| {
        let mut program = child.program;
        change(&mut program);
        [Known { pid: child.pid, program }]
    };
    assert_eq!(processes.look(&other(|program| program.path = c"/usr/bin/true")), Ok(Some(Rule::Processes)));
    assert!(processes.look(&other(|program| program.user = 200)).is_err(), "another user sees nothing of it");

    let mut stranger = sleeper();
    assert_eq!(processes.look(&[child]), Ok(Some(Rule::Processes)));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(processes.look(&[child]), Ok(None));

    kill_process(child.pid, Signal::KILL).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(processes.look(&[child]), Ok(None), "dead, and not reaped yet");
    waitpid(Some(child.pid), WaitOptions::empty()).unwrap();
    assert_eq!(processes.look(&[child]), Ok(None));
}

/// A child of PID 1 that has kept its rights is not one of ours, whatever its program and its number.
#[test]
fn a_process_with_rights_is_not_ours() {
    if !alone("a_process_with_rights_is_not_ours") {
        return;
    }
    let mut processes = Processes::open().unwrap();
    assert_eq!(processes.look(&[]), Ok(None));
    let mut root = sleeper();
    let program = Program { path: c"/usr/bin/sleep", user: 0, ..confined(202).program };
    let mut known = vec![Known { pid: Pid::from_child(&root), program }];
    assert_eq!(processes.look(&known), Ok(Some(Rule::Processes)));
    root.kill().unwrap();
    root.wait().unwrap();
    known.clear();
}

#[test]
fn open_files_have_names() {
    if !alone("open_files_have_names") {
        return;
    }
    let mut processes = Processes::open().unwrap();
    assert_eq!(processes.look(&[]), Ok(None));
    let memory = memfd_create("log", MemfdFlags::CLOEXEC).unwrap();
    assert_eq!(processes.look(&[]), Ok(Some(Rule::Deleted)));
    drop(memory);
    assert_eq!(processes.look(&[]), Ok(None));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let file = std::fs::File::create(&path).unwrap();
    assert_eq!(processes.look(&[]), Ok(None), "a file with a name is watch.files'");
    std::fs::remove_file(path).unwrap();
    assert_eq!(processes.look(&[]), Ok(Some(Rule::Deleted)));
    drop(file);
    assert_eq!(processes.look(&[]), Ok(None));
}

#[test]
fn sockets_of_pid_1_are_counted() {
    if !alone("sockets_of_pid_1_are_counted") {
        return;
    }
    let mut processes = Processes::open().unwrap();
    processes.look(&[]).unwrap();
    let before = processes.sockets.clone().unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0");
    let socket = socket.unwrap_or_else(|_| std::net::UdpSocket::bind("0.0.0.0:0").unwrap());
    processes.look(&[]).unwrap();
    assert_eq!(processes.sockets.unwrap().difference(&before).count(), 1);
    drop(socket);
}

const SEALED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// The image's folders, in RAM, as PID 1 leaves them; from here on they are all there is.
fn image_like(folder: &std::path::Path) {
    let at = |name: &str| folder.join(name);
    mount("tmpfs", folder, "tmpfs", SEALED, None).unwrap();
    for name in ["run", "tmp", "var/log"] {
        std::fs::create_dir_all(at(name)).unwrap();
        mount("tmpfs", at(name), "tmpfs", SEALED, Some(c"size=1m,nr_inodes=64")).unwrap();
    }
    mount_remount(at("run"), SEALED | MountFlags::RDONLY, c"").unwrap();
    mount_remount(folder, SEALED | MountFlags::RDONLY, c"").unwrap();
    rustix::process::chroot(folder).unwrap();
    std::env::set_current_dir("/").unwrap();
}

#[test]
fn mounts_and_files_stay_as_they_are() {
    if !alone("mounts_and_files_stay_as_they_are") {
        return;
    }
    image_like(&std::env::temp_dir());
    let trees = Trees::open().unwrap();
    let (mut buffer, table) = (Buffer::new(), || trees.required("thread-self/mountinfo").unwrap());
    let (mut mounts, mut files) = (Mounts::new(table()), Files::open().unwrap());
    for _ in 0..2 {
        assert_eq!((mounts.look(&mut buffer), files.look(&mut buffer)), (Ok(None), Ok(None)));
    }

    // Over a folder, and gone again: a table that is as it was is no violation by itself
    mount("tmpfs", "/tmp", "tmpfs", SEALED, None).unwrap();
    assert_eq!(mounts.look(&mut buffer), Ok(Some(Rule::Mounts)));
    rustix::mount::unmount("/tmp", rustix::mount::UnmountFlags::empty()).unwrap();
    assert_eq!(mounts.look(&mut buffer), Ok(None));

    // The root is made writable, and then used
    mount_remount("/", SEALED, c"").unwrap();
    assert_eq!(mounts.look(&mut buffer), Ok(Some(Rule::Mounts)));
    assert_eq!(Mounts::new(table()).look(&mut buffer), Ok(Some(Rule::Mounts)), "also at the first look");
    std::fs::write("/log", b"x").unwrap();
    mount_remount("/", SEALED | MountFlags::RDONLY, c"").unwrap();
    assert_eq!((mounts.look(&mut buffer), files.look(&mut buffer)), (Ok(None), Ok(Some(Rule::Files))));
    assert_eq!(Files::open().unwrap().look(&mut buffer), Ok(None));

    let mut files = Files::open().unwrap();
    assert_eq!(files.look(&mut buffer), Ok(None));
    std::fs::write("/var/log/messages", b"x").unwrap();
    std::fs::remove_file("/var/log/messages").unwrap();
    assert_eq!(files.look(&mut buffer), Ok(Some(Rule::Files)), "gone, and still seen");
}

/// The kernel tells of a mount by itself, so that none can come and go between two looks.
#[test]
fn a_mount_wakes_the_watch() {
    if !alone("a_mount_wakes_the_watch") {
        return;
    }
    let mounts = Mounts::new(Trees::open().unwrap().required("thread-self/mountinfo").unwrap());
    let changed = || {
        let mut fds = [PollFd::new(&mounts.table, PollFlags::PRI)];
        rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    };
    changed();
    assert!(!changed());
    mount("tmpfs", std::env::temp_dir(), "tmpfs", SEALED, None).unwrap();
    assert!(changed() && !changed());
}
