//! Init's end of the socket to a child. Nothing here waits but [`Channel::wait_message`], at boot.

use super::line::{line, parse, Lines};
use crate::stop::{OrStop, Step, Stop};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{recv, send, RecvFlags, SendFlags};
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use vitrine_attest::inside::{INTRODUCTION_LIMIT, LINE_LIMIT};
use zeroize::Zeroizing;

/// How long a child may leave a message of ours unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that may wait for a child: the longest introduction and some answers.
const WAITING_LIMIT: usize = INTRODUCTION_LIMIT + 4 * LINE_LIMIT;
/// Bytes taken from the socket at once.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    lines: Lines,
    /// What the socket did not take yet; of the first, this many bytes are sent.
    waiting: VecDeque<Zeroizing<Vec<u8>>>,
    sent: usize,
    /// Since when nothing has moved while something waits.
    stuck: Option<Instant>,
}

impl Channel {
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, lines: Lines::new(), waiting: VecDeque::new(), sent: 0, stuck: None }
    }

    /// Sends a message as far as the socket takes it; the rest goes with [`Self::flush`].
    ///
    /// # Errors
    /// When the child is gone, or has left too much unread.
    pub fn tell(&mut self, message: &impl Serialize, now: Instant) -> Step {
        self.waiting.push_back(line(message)?);
        let bytes: usize = self.waiting.iter().map(|line| line.len()).sum();
        (bytes <= WAITING_LIMIT).then_some(()).or_stop("child-slow")?;
        self.flush(now)
    }

    /// Sends what waits, without waiting.
    pub fn flush(&mut self, now: Instant) -> Step {
        while let Some(first) = self.waiting.front() {
            match send(&self.socket, &first[self.sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    self.stuck = None;
                    self.sent += sent;
                    if self.sent == first.len() {
                        self.waiting.pop_front();
                        self.sent = 0;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let since = *self.stuck.get_or_insert(now);
                    return (now < since + PATIENCE).then_some(()).or_stop("child-slow");
                }
                Err(_) => return Err(Stop("child-gone")),
            }
        }
        Ok(())
    }

    /// When a child that reads nothing is to be given up.
    pub fn wake(&self) -> Option<Instant> {
        self.stuck.map(|since| since + PATIENCE)
    }

    /// To be polled.
    pub fn watch(&self) -> PollFd<'_> {
        let events = if self.waiting.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        PollFd::new(&self.socket, events)
    }

    /// Waits until there is a message, or until `deadline`.
    pub fn wait_message<T: DeserializeOwned>(&mut self, deadline: Instant) -> Step<T> {
        loop {
            self.flush(Instant::now())?;
            if let Some(message) = self.message()? {
                return Ok(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).or_stop("child-silent")?;
            match poll(&mut [self.watch()], Some(&timeout)) {
                Ok(0) => return Err(Stop("child-silent")),
                Ok(_) => self.receive()?,
                Err(Errno::INTR) => {}
                Err(_) => return Err(Stop("child-gone")),
            }
        }
    }

    /// The next message that has come completely.
    pub fn message<T: DeserializeOwned>(&mut self) -> Step<Option<T>> {
        self.lines.next_line()?.map(|line| parse(&line)).transpose()
    }

    /// Takes in what the socket holds.
    ///
    /// # Errors
    /// `child-gone` at the end of the stream.
    pub fn receive(&mut self) -> Step {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let room = self.lines.room().min(CHUNK);
        match recv(&self.socket, &mut chunk[..room], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(Stop("child-gone")),
            Ok((_, length)) => self.lines.push(&chunk[..length]),
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(_) => Err(Stop("child-gone")),
        }
    }

    /// For a child that has nothing to say.
    ///
    /// # Errors
    /// `child-gone` at the end of the stream, `child-line` for any byte.
    pub fn receive_nothing(&mut self) -> Step {
        self.receive()?;
        (self.lines.room() == LINE_LIMIT).then_some(()).or_stop("child-line")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixStream;
    use vitrine_attest::inside::{FromAgent, ToAgent};

    #[test]
    fn message_then_end() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours.into());
        theirs.write_all(b"{\"measured\":true}\n{\"ord").unwrap();
        let now = Instant::now();
        let soon = now + Duration::from_secs(5);
        assert_eq!(channel.wait_message(soon), Ok(FromAgent::Measured(true)));
        assert_eq!(channel.message::<FromAgent>(), Ok(None));
        drop(theirs);
        assert_eq!(channel.wait_message::<FromAgent>(soon), Err(Stop("child-gone")));
        assert_eq!(channel.tell(&ToAgent::Serve(true), now), Err(Stop("child-gone")));
    }

    #[test]
    fn silence_ends() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours.into());
        assert_eq!(channel.wait_message::<FromAgent>(Instant::now()), Err(Stop("child-silent")));
    }

    /// A child that does not read never holds up PID 1, and is given up after some time.
    #[test]
    fn unread_messages_wait_and_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut channel, now) = (Channel::new(ours.into()), Instant::now());
        let long = ToAgent::Answer(vec![1; 40_000]);
        let mut told = 0;
        while channel.wake().is_none() {
            channel.tell(&long, now).unwrap();
            told += 1;
        }
        assert_eq!(channel.flush(now + PATIENCE / 2), Ok(()));
        assert_eq!(channel.flush(now + PATIENCE), Err(Stop("child-slow")));

        let reader =
            std::thread::spawn(move || BufReader::new(theirs).lines().take(told).map(Result::unwrap).collect());
        while channel.wake().is_some() || !channel.waiting.is_empty() {
            channel.flush(now).unwrap();
        }
        let read: Vec<String> = reader.join().unwrap();
        assert_eq!(read.len(), told);
        assert!(read.iter().all(|line| *line == serde_json::to_string(&long).unwrap()));
    }

    #[test]
    fn memory_for_unread_messages_is_bounded() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (mut channel, now) = (Channel::new(ours.into()), Instant::now());
        let long = ToAgent::Answer(vec![1; 40_000]);
        let told = (0..1000).take_while(|_| channel.tell(&long, now).is_ok()).count();
        assert!((30..100).contains(&told), "{told}");
    }
}
