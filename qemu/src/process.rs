//! Children that cannot outlive us: killed when dropped, and by the kernel when we are killed.
//!
//! A child lives in the network namespace of the thread that asks for it.

use rustix::process::Signal;
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{channel, Sender};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// A running program. Dropping it kills it and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
}

/// What the spawning thread is asked to do, and for which network namespace.
type Order = (Command, File, Sender<io::Result<Child>>);
/// The calling thread's network namespace.
const NAMESPACE: &str = "/proc/thread-self/ns/net";

impl Process {
    /// Starts `command` in a process group of its own, so that Ctrl-C on the terminal reaches only us and
    /// we stop things in order. PR_SET_PDEATHSIG makes the kernel kill it when we die in any way.
    ///
    /// # Errors
    /// When the program is missing or cannot be started; `package` is the Debian package to install.
    pub fn start(name: &'static str, package: &str, mut command: Command) -> Result<Self> {
        command.process_group(0);
        let ours = rustix::process::getpid();
        // SAFETY: between fork and exec only two system calls are made, both async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // We may have died before the line above: then somebody else is the parent already.
                if rustix::process::getppid() != Some(ours) {
                    return Err(io::Error::other("the starting process is gone"));
                }
                Ok(())
            });
        }
        let child = spawn(command).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                Error::host(format!("{name} is not installed"), format!("install it: apt-get install {package}"))
            }
            _ => Error::host(format!("{name} does not start: {e}"), ""),
        })?;
        Ok(Self { name, child })
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end; `None` when it is still running after `patience`.
    ///
    /// # Errors
    /// When somebody asked us to stop.
    pub fn finish(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        crate::interrupt::poll(deadline, Duration::from_millis(20), || Ok(self.ended()))
    }

    /// Asks it to end with SIGTERM, and kills it when it does not within two seconds.
    pub fn stop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its pipes, to be taken.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The death signal is sent when the *thread* that started the child ends (prctl(2)). So one thread, which
/// lasts as long as we do, starts them all.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Sender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (command, namespace, answer) in inbox {
                let _ = answer.send(spawn_in(command, namespace));
            }
        });
        orders
    });
    let gone = || io::Error::other("the starting thread has ended");
    let (answer, result) = channel();
    starter.send((command, File::open(NAMESPACE)?, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// Only root may enter another namespace, so nothing is done when it is the one we are in.
fn spawn_in(mut command: Command, namespace: File) -> io::Result<Child> {
    if namespace.metadata()?.ino() != std::fs::metadata(NAMESPACE)?.ino() {
        // SAFETY: one system call between fork and exec, async-signal-safe; the file is open until then.
        unsafe {
            command
                .pre_exec(move || Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?));
        }
    }
    command.spawn()
}

/// One shell word: quoted where a shell would see more than letters in it.
pub fn shell_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The first line that `program --version` prints.
///
/// # Errors
/// When the program is missing.
pub fn version(program: &'static str, package: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output().map_err(|e| {
        Error::host(format!("{program} does not run: {e}"), format!("install it: apt-get install {package}"))
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(shell_quote("-drive"), "-drive");
        assert_eq!(shell_quote("if=pflash,file=/a b"), "'if=pflash,file=/a b'");
        assert_eq!(shell_quote("it's"), r"'it'\''s'");
        assert_eq!(shell_quote(""), "''");
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let process = Process::start("sleep", "coreutils", command).unwrap();
        let proc_entry = std::path::PathBuf::from(format!("/proc/{}", process.child.id()));
        assert!(proc_entry.exists());
        drop(process);
        assert!(!proc_entry.exists());
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = Process::start("nothing-of-this-name", "somewhere", Command::new("nothing-of-this-name"));
        let error = error.unwrap_err();
        assert!(error.hint.contains("apt-get install somewhere"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    /// The thread that asks for a child may end; the child lives on until it is dropped.
    #[test]
    fn children_outlive_the_thread_that_asked() {
        let mut process = std::thread::spawn(|| {
            let mut command = Command::new("sleep");
            command.arg("600");
            Process::start("sleep", "coreutils", command).unwrap()
        })
        .join()
        .unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert!(process.ended().is_none());
    }
}
