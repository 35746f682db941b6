//! The usual programs, run as a user would run them.

use rustix::thread::{move_into_link_name_space, unshare_unsafe, LinkNameSpaceType, UnshareFlags};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use vitrine_attest::{Error, Result};

/// Longest time one program may take, in seconds.
const PATIENCE: &str = "420";
/// When it is set, every run and what came of it is told on stderr: for tests.
pub const TALK: &str = "VITRINE_WORLD_TALKS";

/// What a program said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    fn never_started(why: &dyn std::fmt::Display) -> Self {
        Self { code: None, out: String::new(), err: why.to_string() }
    }

    /// What it printed.
    ///
    /// # Errors
    /// When it failed, with its own words.
    pub fn succeeded(self, what: &str) -> Result<String> {
        if self.code == Some(0) {
            return Ok(self.out);
        }
        Err(Error::host(format!("{what}: ended with {:?}", self.code), format!("it said: {} {}", self.out, self.err)))
    }

    /// # Panics
    /// For tests: when it failed.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// # Panics
    /// For tests: when it did not fail.
    #[track_caller]
    pub fn expect_failure(self) {
        assert_ne!(self.code, Some(0), "{self:#?}");
    }
}

/// Puts the calling thread, which must be one that ends, into a network namespace of its own.
///
/// # Errors
/// Without root.
pub fn enter_new_namespace() -> Result<()> {
    // SAFETY: only NEWNET: memory, descriptors and working folder stay shared with the other threads.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
        .map_err(|e| Error::host(format!("no network namespace can be made: {e}"), "run it as root"))
}

/// Runs a program in the calling thread's namespace, to its end.
pub fn run(program: &str, words: &[&str]) -> Said {
    said(tool(program).args(words))
}

/// Runs a program in another network namespace, to its end.
pub fn run_in(namespace: &File, command: &mut Command) -> Said {
    within(namespace, || said(command)).unwrap_or_else(|e| Said::never_started(&e))
}

/// Does something in another network namespace, on a thread of its own. A panic there goes on here.
///
/// # Errors
/// When the namespace cannot be entered.
pub fn within<T: Send>(namespace: &File, act: impl FnOnce() -> T + Send) -> Result<T> {
    on_a_thread(|| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| Error::host(format!("a network namespace cannot be entered: {e}"), "run it as root"))?;
        Ok(act())
    })
}

/// Does something on a thread that ends with it. A panic there goes on here.
pub fn on_a_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let result = std::thread::scope(|scope| scope.spawn(act).join());
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A command that does not outlast `PATIENCE`, nor the thread that starts it.
pub fn tool(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=2", PATIENCE, program]);
    command
}

fn said(command: &mut Command) -> Said {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(e) => return Said::never_started(&e),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
    if std::env::var_os(TALK).is_some() {
        let words: Vec<_> = command.get_args().collect();
        eprintln!("{words:?} → {:?} {}{}", said.code, said.out.trim(), said.err.trim());
    }
    said
}

/// Runs lines of `ip`, in the calling thread's namespace.
///
/// # Errors
/// When the program is missing, or refuses a line.
pub fn ip(script: &str) -> Result<()> {
    const HINT: &str = "install iproute2, and run as root";
    let failed = |e: std::io::Error| Error::host(format!("ip: {e}"), HINT);
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut lines) = child.stdin.take() {
        lines.write_all(script.as_bytes()).map_err(failed)?;
    }
    if !child.wait().map_err(failed)?.success() {
        return Err(Error::host(format!("ip refused a line of: {script}"), HINT));
    }
    Ok(())
}
