//! The usual programs, run as a user would run them.

use rustix::thread::{move_into_link_name_space, unshare_unsafe, LinkNameSpaceType, UnshareFlags};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

/// Longest time one program may take, in seconds.
const PATIENCE: &str = "420";

/// What a program said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    #[track_caller]
    pub fn expect_failure(self) {
        assert_ne!(self.code, Some(0), "{self:#?}");
    }
}

/// Puts the calling thread, which must be one that ends, into a network namespace of its own.
pub fn enter_new_namespace() {
    // SAFETY: only NEWNET: memory, descriptors and working folder stay shared with the other threads.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("a network namespace is made");
}

/// Runs a program in the calling thread's namespace, to its end.
pub fn run(program: &str, words: &[&str]) -> Said {
    said(tool(program).args(words))
}

/// Runs a program in another network namespace, to its end.
pub fn run_in(namespace: &File, command: &mut Command) -> Said {
    within(namespace, || said(command))
}

/// Does something in another network namespace, on a thread of its own.
pub fn within<T: Send>(namespace: &File, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("a namespace is entered");
            act()
        });
        there.join().expect("the thread ends")
    })
}

/// A command that does not outlast [`PATIENCE`], nor the thread that starts it.
pub fn tool(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=2", PATIENCE, program]);
    command
}

fn said(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
    eprintln!("{:?} → {:?} {}{}", command.get_args().collect::<Vec<_>>(), said.code, said.out.trim(), said.err.trim());
    said
}

/// Runs lines of `ip`, in the calling thread's namespace.
pub fn ip(script: &str) {
    let mut child =
        Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("iproute2 is installed");
    child.stdin.take().expect("it is a pipe").write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "ip: {script}");
}
