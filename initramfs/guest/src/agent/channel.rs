//! Init's end of the socket to the agent.

use super::line::Lines;
use super::message::FromAgent;
use crate::stop::{OrStop, Step, Stop};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{recv, RecvFlags, SendFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long an agent may leave a message of ours unread. PID 1 waits for it with everything else standing still.
const SEND_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes taken from the socket at once.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    lines: Lines,
}

impl Channel {
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, lines: Lines::new() }
    }

    /// Sends all bytes, or gives up after [`SEND_PATIENCE`].
    pub fn send(&self, mut bytes: &[u8]) -> Step {
        let deadline = Instant::now() + SEND_PATIENCE;
        while !bytes.is_empty() {
            wait(&self.socket, PollFlags::OUT, deadline)?;
            match rustix::net::send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Err(Stop("agent-gone")),
            }
        }
        Ok(())
    }

    /// Waits until there is a message.
    pub fn wait_message(&mut self, deadline: Instant) -> Step<FromAgent> {
        loop {
            if let Some(message) = self.message()? {
                return Ok(message);
            }
            wait(&self.socket, PollFlags::IN, deadline)?;
            self.receive()?;
        }
    }

    /// The next message that has come completely.
    pub fn message(&mut self) -> Step<Option<FromAgent>> {
        self.lines.next_line()?.map(|line| FromAgent::parse(&line)).transpose()
    }

    /// Takes in what the socket holds.
    ///
    /// # Errors
    /// `agent-gone` at the end of the stream.
    pub fn receive(&mut self) -> Step {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let room = self.lines.room().min(CHUNK);
        match recv(&self.socket, &mut chunk[..room], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(Stop("agent-gone")),
            Ok((_, length)) => self.lines.push(&chunk[..length]),
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(_) => Err(Stop("agent-gone")),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn wait(socket: &OwnedFd, events: PollFlags, deadline: Instant) -> Step {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).or_stop("agent-silent")?;
        match poll(&mut [PollFd::new(socket, events)], Some(&timeout)) {
            Ok(0) => return Err(Stop("agent-silent")),
            Err(Errno::INTR) => {}
            other => return other.map(|_| ()).or_stop("agent-gone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn message_then_end() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours.into());
        theirs.write_all(b"{\"measured\":true}\n{\"ord").unwrap();
        let soon = Instant::now() + Duration::from_secs(5);
        assert_eq!(channel.wait_message(soon), Ok(FromAgent::Measured(true)));
        assert_eq!(channel.message(), Ok(None));
        drop(theirs);
        assert_eq!(channel.wait_message(soon), Err(Stop("agent-gone")));
        assert_eq!(channel.send(b"x"), Err(Stop("agent-gone")));
    }

    #[test]
    fn silence_ends() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours.into());
        assert_eq!(channel.wait_message(Instant::now()), Err(Stop("agent-silent")));
    }
}
