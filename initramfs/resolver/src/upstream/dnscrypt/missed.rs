//! Whether UDP gets through. One packet may be lost, one name may take its time: several in a row mean that it does not.

use crate::limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Questions in a row that had no answer over UDP, and one over TCP.
const MOST: u32 = 3;

#[derive(Default)]
pub struct Missed(Mutex<State>);

#[derive(Default)]
struct State {
    count: u32,
    last: Option<Instant>,
}

impl Missed {
    /// Whether UDP is left alone; after [`limits::WITHOUT_UDP`] it is tried again.
    pub fn is_blocked(&self) -> bool {
        let state = self.state();
        state.count >= MOST && state.last.is_some_and(|last| last.elapsed() < limits::WITHOUT_UDP)
    }

    pub fn heard(&self) {
        self.state().count = 0;
    }

    /// After the time without UDP, one more is enough.
    pub fn missed(&self) {
        let mut state = self.state();
        state.count = state.count.saturating_add(1);
        state.last = Some(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // nothing panics while it is held, and every state is a good one
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row() {
        let udp = Missed::default();
        for round in 0..2 {
            for _ in 1..MOST {
                udp.missed();
                assert!(!udp.is_blocked(), "round {round}");
            }
            udp.heard();
        }
        (0..MOST).for_each(|_| udp.missed());
        assert!(udp.is_blocked());
        // its time is over: tried again, and one loss more is enough
        if let Some(past) = Instant::now().checked_sub(limits::WITHOUT_UDP) {
            udp.state().last = Some(past);
            assert!(!udp.is_blocked());
            udp.missed();
            assert!(udp.is_blocked());
        }
    }
}
