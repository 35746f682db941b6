//! One client: its request comes, its answer goes, each in its time.

use crate::http::{judge, HEAD_LIMIT};
use rustix::event::{PollFd, PollFlags};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// For the request, for the answer, and for the client to close.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes.
const LINGER_LIMIT: usize = 64 << 10;

#[derive(Debug)]
enum State {
    Reading(Vec<u8>),
    /// The answer and how much of it has gone.
    Writing(Vec<u8>, usize),
    /// Everything is sent. What still comes, up to [`LINGER_LIMIT`], is thrown away, so that closing does not destroy
    /// the answer (RFC 9112 §9.6). So many bytes have come.
    Closing(usize),
}

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    state: State,
    deadline: Instant,
}

impl Connection {
    pub fn new(stream: TcpStream, now: Instant) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        Some(Self { stream, state: State::Reading(Vec::new()), deadline: now + PATIENCE })
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn watch(&self) -> PollFd<'_> {
        let events = if matches!(self.state, State::Writing(..)) { PollFlags::OUT } else { PollFlags::IN };
        PollFd::new(&self.stream, events)
    }

    /// Does what can be done without waiting. False: this connection is done.
    pub fn advance(&mut self, page: Option<&str>, now: Instant) -> bool {
        if now >= self.deadline {
            return false;
        }
        loop {
            let more = match &mut self.state {
                State::Reading(bytes) => match read(&self.stream, bytes) {
                    Progress::Some => true,
                    other => return other == Progress::Later,
                },
                State::Writing(bytes, sent) => match write(&self.stream, &bytes[*sent..]) {
                    Ok(length) => {
                        *sent += length;
                        *sent == bytes.len()
                    }
                    Err(progress) => return progress == Progress::Later,
                },
                State::Closing(total) => {
                    let mut rest = Vec::new();
                    match read(&self.stream, &mut rest) {
                        Progress::Some if *total < LINGER_LIMIT => *total += rest.len(),
                        other => return other == Progress::Later,
                    }
                    false
                }
            };
            if more && !self.step(page, now) {
                return false;
            }
        }
    }

    /// The next state, if this one is complete.
    fn step(&mut self, page: Option<&str>, now: Instant) -> bool {
        match &self.state {
            State::Reading(bytes) => {
                if let Some(answer) = judge(bytes) {
                    #[cfg(feature = "control-endpoint-label")]
                    let page = control_label(page, &self.stream);
                    #[cfg(feature = "control-endpoint-label")]
                    let page = page.as_deref();
                    self.state = State::Writing(answer.bytes(page), 0);
                    self.deadline = now + PATIENCE;
                }
            }
            State::Writing(..) => {
                if self.stream.shutdown(Shutdown::Write).is_err() {
                    return false;
                }
                self.state = State::Closing(0);
                self.deadline = now + PATIENCE;
            }
            State::Closing(_) => {}
        }
        true
    }
}

/// The mistake of a mutation control: who reads the page stands in it.
#[cfg(feature = "control-endpoint-label")]
fn control_label(page: Option<&str>, stream: &TcpStream) -> Option<String> {
    let peer = stream.peer_addr().ok()?;
    Some(format!("{}# HELP vitrine_reader Whoever reads this page\nvitrine_reader{{endpoint=\"{peer}\"}} 1\n", page?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Some,
    /// Nothing now.
    Later,
    Never,
}

impl From<std::io::Error> for Progress {
    fn from(error: std::io::Error) -> Self {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
            Self::Later
        } else {
            Self::Never
        }
    }
}

fn read(mut stream: &TcpStream, bytes: &mut Vec<u8>) -> Progress {
    let mut buffer = [0; 1024];
    let room = HEAD_LIMIT.saturating_sub(bytes.len()).min(buffer.len());
    match stream.read(&mut buffer[..room]) {
        Ok(0) => Progress::Never,
        Ok(length) => {
            bytes.extend_from_slice(&buffer[..length]);
            Progress::Some
        }
        Err(error) => error.into(),
    }
}

fn write(mut stream: &TcpStream, bytes: &[u8]) -> Result<usize, Progress> {
    match stream.write(bytes) {
        Ok(0) => Err(Progress::Never),
        Ok(length) => Ok(length),
        Err(error) => Err(error.into()),
    }
}
