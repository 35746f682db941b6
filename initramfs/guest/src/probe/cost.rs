//! What the watch costs: the processor time of its looks. And what overwriting stacks costs.

use crate::janitor::Done;
use crate::stop::say;
use rustix::time::{clock_gettime, ClockId};
use std::time::{Duration, Instant};

/// After so many looks it is said: one of them is a thorough one.
const LOOKS: u32 = 6;
/// How often it is said in all: `make bench` takes the median.
const ROUNDS: u32 = 3;

#[derive(Debug, Default)]
pub struct Cost {
    looks: u32,
    rounds: u32,
    spent: Duration,
}

impl Cost {
    pub fn of<T>(&mut self, look: impl FnOnce() -> T) -> T {
        let before = now();
        let found = look();
        self.looks += 1;
        self.spent += now().saturating_sub(before);
        if self.looks == LOOKS && self.rounds < ROUNDS {
            let spent = self.spent.as_micros().to_string().leak();
            say(&["probe: watch: 6 looks took ", spent, " us"]);
            *self = Self { rounds: self.rounds + 1, ..Self::default() };
        }
        found
    }
}

/// Says of the janitor's handshakes with itself how many there were, how many more were begun, and how long they took:
/// processor time of PID 1, and by the clock. Some are in the kernel's threads and not counted in the former.
pub fn cost_of_stacks(overwrite: impl FnOnce() -> Done) {
    let (clock, before) = (Instant::now(), now());
    let Done { handshakes, begun } = overwrite();
    let [handshakes, begun] = [handshakes, begun].map(|number| &*number.to_string().leak());
    let spent = now().saturating_sub(before).as_micros().to_string().leak();
    let clock = clock.elapsed().as_micros().to_string().leak();
    say(&["probe: stacks: ", handshakes, " handshakes and ", begun, " begun took ", spent, " us of ", clock]);
}

/// Processor time of this thread.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
