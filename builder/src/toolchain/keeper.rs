//! The process between `vitrine` and the sandbox: makes the namespaces, waits, and cleans up should `vitrine` be killed.
//!
//! Its standard input is a pipe that nobody writes to. The kernel closes it when `vitrine` ends, however it ends: then
//! the sandbox is killed with everything in it, and the scratch folder is removed.

use super::inside;
use super::plan::Plan;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use rustix::thread::UnshareFlags;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use vitrine_attest::{Error, Result};

/// `argv[0]` of this process.
pub const NAME: &str = "vitrine-sandbox-keeper";
/// Exit code when the sandbox could not be made: the last line on standard error is `what`, a tab, `hint`.
pub const NO_SANDBOX: u8 = 125;

/// Runs to the end of the command and gives its exit code; 128 and the signal's number when it was killed.
pub fn run(plan: &str) -> u8 {
    match keep(plan) {
        Ok(code) => code,
        Err(error) => complain(&error),
    }
}

/// For both processes of the sandbox.
pub(super) fn complain(error: &Error) -> u8 {
    eprintln!("{}\t{}", error.what.replace(['\n', '\t'], " "), error.hint.replace(['\n', '\t'], " "));
    NO_SANDBOX
}

fn keep(text: &str) -> Result<u8> {
    let plan: Plan = serde_json::from_str(text).map_err(|e| Error::bug(format!("plan of a sandbox: {e}")))?;
    namespaces()?;
    let mut child = start(text)?;
    let orphaned = watch(&child)?;
    let status = child.wait().map_err(|e| Error::host(format!("cannot wait for the sandbox: {e}"), "run it again"))?;
    if orphaned {
        let _ = std::fs::remove_dir_all(&plan.scratch); // nobody is left to hear of a failure; the next run removes it
    }
    let signal = status.signal().map(|signal| 128 + signal);
    Ok(u8::try_from(status.code().or(signal).unwrap_or(255)).unwrap_or(255))
}

/// New user, process, network, IPC and host name namespaces; root inside is the user outside, and nobody else exists.
fn namespaces() -> Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let rest = UnshareFlags::NEWPID | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    unshare(UnshareFlags::NEWUSER | rest).map_err(forbidden)?;
    let write = |path: &str, text: String| std::fs::write(path, text).map_err(|e| mapping(path, &e));
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Deprecated because `CLONE_FILES` would be unsafe; it is never asked for here.
#[allow(deprecated)]
pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(flags)
}

fn forbidden(errno: Errno) -> Error {
    let hint = match errno {
        Errno::NOSPC => "user.max_user_namespaces is too small: `sysctl user.max_user_namespaces=10000` as root",
        Errno::NOSYS | Errno::INVAL => {
            "this kernel has none (CONFIG_USER_NS): use another machine, or --programs DIR of one"
        }
        _ => {
            "allow it as root, with whichever of these the machine has: `sysctl kernel.unprivileged_userns_clone=1`, \
             `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container, let it use unshare(2)"
        }
    };
    Error::host(format!("this machine allows no user namespaces: {errno}"), hint)
}

fn mapping(path: &str, error: &std::io::Error) -> Error {
    Error::host(
        format!("{path} cannot be written: {error}"),
        "allow user namespaces as root: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, where the machine has it",
    )
}

/// The first process of the new process namespace. Its standard output joins its standard error: nothing is a result.
fn start(plan: &str) -> Result<Child> {
    let failed = |e: std::io::Error| Error::host(format!("cannot start the sandbox: {e}"), "check memory and limits");
    let output: OwnedFd = std::io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(inside::NAME).arg(plan).env_clear().stdin(Stdio::null()).stdout(output);
    command.spawn().map_err(failed)
}

/// Waits for the sandbox or for the end of standard input, whatever comes first; says whether it was the latter, and the
/// sandbox is killed then. Without a thread: after unshare(2) of process namespaces there can be none (EINVAL).
fn watch(child: &Child) -> Result<bool> {
    let failed = |errno: Errno| Error::host(format!("cannot watch the sandbox: {errno}"), "run it again");
    let pid =
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| Error::bug("a process has no number"))?;
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
    let input = std::io::stdin();
    loop {
        let mut fds = [PollFd::new(&process, PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            other => other.map_err(failed)?,
        };
        if !fds[0].revents().is_empty() {
            return Ok(false);
        }
        if !fds[1].revents().is_empty() {
            pidfd_send_signal(&process, Signal::KILL).map_err(failed)?;
            return Ok(true);
        }
    }
}
