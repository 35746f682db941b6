//! Starting the agent as its own user, with one descriptor.

use super::channel::Channel;
use super::message::{FromAgent, Introduction, ToAgent};
use crate::stop::{OrStop, Step, Stop};
use rustix::fs::{chownat, AtFlags, Gid, Mode, Uid, CWD};
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use rustix::process::{kill_process, Pid, Signal};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "/usr/lib/vitrine/agent";
/// The kernel's TPM resource manager.
const TPM: &str = "/dev/tpmrm0";
/// User and group of the agent; nobody else has them and no file belongs to them but the TPM.
const USER: u32 = 200;
/// How long EK, AK and three extends may take. A slow discrete TPM needs some ten seconds for an RSA key.
pub const MEASURE_PATIENCE: Duration = Duration::from_secs(60);

/// A running agent. Dropping it closes the channel, upon which it ends.
#[derive(Debug)]
pub struct Agent {
    pub pid: Pid,
    pub channel: Channel,
}

/// Gives the TPM to the agent's user.
///
/// # Errors
/// `no-tpm` when there is none: no tunnel without evidence.
pub fn hand_over_tpm() -> Step {
    let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
    chownat(CWD, TPM, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).or_stop("no-tpm")?;
    rustix::fs::chmod(TPM, Mode::RUSR | Mode::WUSR).or_stop("no-tpm")
}

impl Agent {
    /// Starts the program and introduces it. Its answer is still to come.
    pub fn start(introduction: &Introduction) -> Step<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).or_stop("agent-start")?;
        let mut command = Command::new(PROGRAM);
        command.env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        crate::sys::confine(&mut command, USER, theirs);
        let child = command.spawn().or_stop("agent-start")?;
        // Our copy of the agent's end lives in the command: without dropping it, the end of the agent is not seen
        drop(command);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).or_stop("agent-start")?;
        let agent = Self { pid, channel: Channel::new(ours) };
        agent.channel.send(&introduction.line()?)?;
        Ok(agent)
    }

    /// Waits until the three events are in PCR 15.
    ///
    /// # Errors
    /// When the agent fails, dies, says something else, or takes longer than [`MEASURE_PATIENCE`].
    pub fn wait_measured(&mut self) -> Step {
        match self.channel.wait_message(Instant::now() + MEASURE_PATIENCE)? {
            FromAgent::Measured(true) => Ok(()),
            FromAgent::Failed(_) => Err(Stop("tpm")),
            _ => Err(Stop("agent-line")),
        }
    }

    pub fn tell(&self, message: ToAgent) -> Step {
        self.channel.send(&message.line())
    }

    /// Ends it for good; it is reaped by the loop.
    pub fn kill(self) {
        // It may be gone already
        let _ = kill_process(self.pid, Signal::KILL);
    }
}
