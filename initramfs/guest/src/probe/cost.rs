//! What the watch costs: the processor time of its looks.

use crate::stop::say;
use rustix::time::{clock_gettime, ClockId};
use std::time::Duration;

/// After so many looks it is said.
const LOOKS: u32 = 6;

#[derive(Debug, Default)]
pub struct Cost {
    looks: u32,
    spent: Duration,
}

impl Cost {
    pub fn of<T>(&mut self, look: impl FnOnce() -> T) -> T {
        let before = now();
        let found = look();
        self.looks += 1;
        self.spent += now().saturating_sub(before);
        if self.looks == LOOKS {
            let spent = self.spent.as_micros().to_string().leak();
            say(&["probe: watch: 6 looks took ", spent, " us"]);
        }
        found
    }
}

/// Processor time of this thread.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
