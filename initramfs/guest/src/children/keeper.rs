//! Keeps one program running: started again when it ends, with back-off when it does not last.

use super::process::{Child, Process};
use super::program::Program;
use super::Known;
use crate::stop::{Step, Stop};
use rustix::event::PollFd;
use rustix::process::{Pid, WaitStatus};
use serde::Serialize;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// First pause before a restart; doubled for each child that does not last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// A child that ran this long is not part of a series of crashes.
const LASTING: Duration = Duration::from_secs(60);
/// A clean exit earlier than this is a crash like any other: nothing can have been done and forgotten in between.
const SHORTEST_CLEAN: Duration = Duration::from_secs(1);
/// How long a child that has closed its channel may take to end by itself.
const ENDING_PATIENCE: Duration = Duration::from_secs(1);

/// What exit code 0 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanExit {
    /// The same as every other end.
    Crash,
    /// The program has ended itself to forget what was in its memory; the next one starts at once.
    Forgotten,
}

#[derive(Debug)]
enum State {
    Waiting {
        until: Instant,
    },
    Up {
        child: Child,
        since: Instant,
    },
    /// Not reaped yet. `kill_at` is None once it was killed.
    Ending {
        process: Process,
        since: Instant,
        kill_at: Option<Instant>,
    },
}

#[derive(Debug)]
pub struct Keeper {
    program: Program,
    clean: CleanExit,
    state: State,
    pause: Duration,
    /// The end that comes was asked for: the next one starts at once.
    replacing: bool,
}

impl Keeper {
    /// The first start is due at once.
    pub fn new(program: Program, clean: CleanExit, now: Instant) -> Self {
        Self { program, clean, state: State::Waiting { until: now }, pause: FIRST_PAUSE, replacing: false }
    }

    /// Whether the program has to be started now: then call [`Self::launch`] and [`Self::started`].
    pub fn due(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { until } if now >= until)
    }

    /// Starts the program, with `extra` as its descriptor 4.
    pub fn launch(&self, extra: Option<OwnedFd>) -> Step<Child> {
        Child::start(&self.program, extra)
    }

    /// What came of a start.
    pub fn started(&mut self, child: Step<Child>, now: Instant) {
        match child {
            Ok(child) => self.state = State::Up { child, since: now },
            Err(_) => self.wait(now),
        }
    }

    /// The running child.
    pub fn child(&mut self) -> Option<&mut Child> {
        match &mut self.state {
            State::Up { child, .. } => Some(child),
            _ => None,
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// The process that is there, running or ending; for the watch.
    pub fn known(&self) -> Option<Known> {
        let pid = match &self.state {
            State::Up { child, .. } => child.process.pid,
            State::Ending { process, .. } => process.pid,
            State::Waiting { .. } => return None,
        };
        Some(Known { pid, program: self.program })
    }

    /// The running child's number, for the probe.
    #[cfg(feature = "probe")]
    pub fn pid(&self) -> Option<Pid> {
        match &self.state {
            State::Up { child, .. } => Some(child.process.pid),
            _ => None,
        }
    }

    /// Tells the running child something. One that does not take it ends.
    pub fn tell(&mut self, message: &impl Serialize, now: Instant) {
        if self.child().is_some_and(|child| child.channel.tell(message, now).is_err()) {
            self.kill(now);
        }
    }

    /// What came of listening to it.
    pub fn heard(&mut self, heard: Step, now: Instant) {
        match heard {
            Ok(()) => {}
            Err(Stop("child-gone")) => self.gone(now),
            Err(_) => self.kill(now),
        }
    }

    /// Its channel is at the end: it is given a moment to finish by itself.
    fn gone(&mut self, now: Instant) {
        self.end(Some(now + ENDING_PATIENCE), now);
    }

    /// It hangs, or says what it must not say.
    pub fn kill(&mut self, now: Instant) {
        self.end(None, now);
    }

    /// It has something in its memory that has to go: another one takes its place.
    pub fn replace(&mut self, now: Instant) {
        self.replacing = self.is_up();
        self.end(None, now);
    }

    fn end(&mut self, kill_at: Option<Instant>, now: Instant) {
        match std::mem::replace(&mut self.state, State::Waiting { until: now }) {
            State::Up { child: Child { process, channel }, since } => {
                drop(channel);
                if kill_at.is_none() {
                    process.kill();
                }
                self.state = State::Ending { process, since, kill_at };
            }
            other => self.state = other,
        }
    }

    /// Sends what waits to be sent, and ends what hangs.
    pub fn tick(&mut self, now: Instant) {
        match &mut self.state {
            State::Up { child, .. } => {
                if child.channel.flush(now).is_err() {
                    self.kill(now);
                }
            }
            State::Ending { process, kill_at, .. } if kill_at.is_some_and(|time| now >= time) => {
                process.kill();
                *kill_at = None;
            }
            State::Ending { .. } | State::Waiting { .. } => {}
        }
    }

    /// Some process has been reaped. True when it was this one; the next start is planned then.
    pub fn reaped(&mut self, pid: Pid, status: WaitStatus, now: Instant) -> bool {
        let since = match &self.state {
            State::Up { child, since } if child.process.is(pid) => *since,
            State::Ending { process, since, .. } if process.is(pid) => *since,
            _ => return false,
        };
        let lasted = now.saturating_duration_since(since);
        let replacing = std::mem::take(&mut self.replacing);
        if replacing {
            self.state = State::Waiting { until: now };
        } else if self.clean == CleanExit::Forgotten && status.exit_status() == Some(0) && lasted >= SHORTEST_CLEAN {
            self.pause = FIRST_PAUSE;
            self.state = State::Waiting { until: now };
        } else {
            if lasted >= LASTING {
                self.pause = FIRST_PAUSE;
            }
            self.wait(now);
        }
        true
    }

    fn wait(&mut self, now: Instant) {
        self.state = State::Waiting { until: now + self.pause };
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }

    /// When something is due here.
    pub fn wake(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Up { child, .. } => child.channel.wake(),
            State::Ending { kill_at, .. } => *kill_at,
        }
    }

    /// Adds what is to be polled.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        match &self.state {
            State::Waiting { .. } => {}
            State::Up { child, .. } => fds.extend([child.channel.watch(), child.process.watch()]),
            State::Ending { process, .. } => fds.push(process.watch()),
        }
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
