//! Kills each child once and waits for the next one.

use super::memory;
use crate::children::Children;
use crate::stop::say;
use rustix::process::{kill_process, Pid, Signal};
use std::time::{Duration, Instant};

/// How long a child has to be up before it counts.
const UP: Duration = Duration::from_secs(3);
/// The first one longer: a client shall be there to see it.
const FIRST_UP: Duration = Duration::from_secs(30);
const CHILDREN: usize = 3;

#[derive(Debug, Default)]
pub struct Killer {
    /// Whose turn it is; the number of children when it is done.
    turn: usize,
    killed: Option<Pid>,
    /// The child whose turn it is, and since when it is up.
    seen: Option<(Pid, Instant)>,
}

impl Killer {
    pub fn tick(&mut self, now: Instant, children: &Children) {
        let Some((name, pid)) = children.up().into_iter().nth(self.turn) else { return };
        let up = if self.turn == 0 && self.killed.is_none() { FIRST_UP } else { UP };
        match (pid, self.seen) {
            (Some(pid), Some((seen, since))) if seen == pid && now >= since + up => self.act(name, pid),
            (Some(pid), Some((seen, _))) if seen == pid => {}
            (pid, _) => self.seen = pid.map(|pid| (pid, now)),
        }
    }

    fn act(&mut self, name: &'static str, pid: Pid) {
        match self.killed {
            None => {
                let _ = kill_process(pid, Signal::KILL);
                self.killed = Some(pid);
                say(&["probe: killed ", name]);
                memory::of_killed(name, pid);
            }
            Some(former) if former != pid => {
                say(&["probe: restarted ", name]);
                *self = Self { turn: self.turn + 1, killed: None, seen: None };
                if self.turn == CHILDREN {
                    memory::of_init();
                    say(&["probe: children done"]);
                }
            }
            Some(_) => {}
        }
    }

    pub fn wake(&self, now: Instant) -> Option<Instant> {
        (self.turn < CHILDREN).then(|| now + Duration::from_millis(500))
    }
}
