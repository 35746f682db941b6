//! Network namespaces that go away with the test.

use rustix::fd::AsFd as _;
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Space(String);

impl Space {
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let space = Self(format!("vitrine-{}-{number}-{name}", std::process::id()));
        ip(&["netns", "add", &space.0]);
        space.run(&["ip", "link", "set", "lo", "up"]);
        space
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs this on a thread whose network is the namespace.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).args(words);
        command
    }

    pub fn run(&self, words: &[&str]) -> String {
        succeed(self.command(words))
    }

    pub fn feed(&self, words: &[&str], text: &str) {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{words:?} refused:\n{text}");
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // a second panic while a test fails would hide the first
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

pub fn ip(words: &[&str]) {
    let mut command = Command::new("ip");
    command.args(words);
    succeed(command);
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; apt-get install iproute2 nftables"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
