//! When which server is looked at next. No clock and no randomness of its own: both are given.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};
use vitrine_attest::config::Span;

/// The interval is a tenth longer or shorter, so that servers that began together do not stay together.
const JITTER: u64 = 10;
/// Doublings of the interval for a server that does not answer.
const DOUBLINGS: u32 = 5;
/// And no longer than this, unless the interval itself is.
const LONGEST: Span = Span::seconds(3600);

/// Servers by the time of their next look; each stands here at most once.
#[derive(Default)]
pub struct Schedule(BinaryHeap<Reverse<(Instant, usize)>>);

impl Schedule {
    pub fn add(&mut self, server: usize, due: Instant) {
        self.0.push(Reverse((due, server)));
    }

    /// Takes out the server that is due longest.
    pub fn due(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let Reverse((due, _)) = *self.0.peek()?;
        if due > now {
            return None;
        }
        self.0.pop().map(|Reverse((due, server))| (server, due))
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((due, _))| *due)
    }
}

/// From the beginning of one look to that of the next. `silent`: looks in a row without an answer.
pub fn pause(interval: Span, silent: u32, random: u64) -> Duration {
    let seconds = match silent {
        0 => interval.as_seconds(),
        n => {
            let longest = LONGEST.as_seconds().max(interval.as_seconds());
            interval.as_seconds().saturating_mul(1 << (n - 1).min(DOUBLINGS)).min(longest)
        }
    };
    let milliseconds = seconds * 1000;
    let tenth = milliseconds / JITTER;
    Duration::from_millis(milliseconds - tenth + random % (2 * tenth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_due_comes_first() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut schedule = Schedule::default();
        for (server, seconds) in [(1, 5), (2, 1), (3, 9)] {
            schedule.add(server, at(seconds));
        }
        assert_eq!((schedule.due(at(0)), schedule.next()), (None, Some(at(1))));
        assert_eq!((schedule.due(at(6)), schedule.due(at(6))), (Some((2, at(1))), Some((1, at(5)))));
        assert_eq!((schedule.due(at(6)), schedule.due(at(9))), (None, Some((3, at(9)))));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn pauses() {
        let least = |interval, silent| pause(Span::seconds(interval), silent, 0).as_millis();
        let most = |interval, silent| {
            (0..5000).map(|random| pause(Span::seconds(interval), silent, random).as_millis()).max().unwrap()
        };
        assert_eq!((least(10, 0), most(10, 0)), (9_000, 11_000));
        let table = [(1, 9), (2, 18), (3, 36), (4, 72), (5, 144), (6, 288), (7, 288), (u32::MAX, 288)];
        for (silent, seconds) in table {
            assert_eq!(least(10, silent), seconds * 1000, "{silent}");
        }
        assert_eq!(least(600, 9), 3_240_000, "an hour");
        assert_eq!(least(86_400, 9), 77_760_000, "the interval is longer than an hour");
        assert!(pause(Span::seconds(1), 0, u64::MAX) <= Duration::from_millis(1100));
    }
}
