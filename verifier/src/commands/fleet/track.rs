//! What is known of one server from look to look, and what of a look is worth a line. No I/O; a few hundred bytes.

use crate::commands::watch::state::Seen;
use crate::outcome::NOT_REACHED;
use crate::report::Keys;
use serde_json::Value;

/// What a server is, for counts and colours. Stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Rejected,
    CouldNotJudge,
    Unreachable,
    /// Not looked at yet.
    Waiting,
    Accepted,
}

impl State {
    /// Worst first.
    pub const ALL: [Self; 5] = [Self::Rejected, Self::CouldNotJudge, Self::Unreachable, Self::Waiting, Self::Accepted];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::CouldNotJudge => "could-not-judge",
            Self::Unreachable => "unreachable",
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
        }
    }
}

/// What is worth a line. Stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// For the first time.
    Accepted,
    /// Again, and the same boot as before.
    Recovered,
    /// Other boot keys than the last time it was accepted.
    Rebooted,
    /// The same boot with a newer WireGuard key.
    KeysChanged,
    Rejected,
    CouldNotJudge,
    Unreachable,
}

impl Event {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Recovered => "recovered",
            Self::Rebooted => "rebooted",
            Self::KeysChanged => "keys-changed",
            Self::Rejected => "rejected",
            Self::CouldNotJudge => "could-not-judge",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One look and when it ended.
pub struct Look {
    pub seen: Seen,
    /// Seconds since 1970.
    pub at: u64,
    /// Of the look, without the wait for the state file.
    pub milliseconds: u32,
}

#[derive(Debug, Default)]
pub struct Track {
    seen: Option<Seen>,
    /// Of the last time it was accepted.
    keys: Option<Keys>,
    /// Since when it is in this state; seconds since 1970, as all times here.
    pub since: u64,
    /// When it was accepted last.
    pub accepted: Option<u64>,
    pub looked: u64,
    /// Looks in a row without an answer.
    pub silent: u32,
}

impl Track {
    /// Takes a look; gives what has changed, at most one event.
    pub fn take(&mut self, look: Look) -> Option<Event> {
        let Look { seen, at, .. } = look;
        let event = self.event(&seen);
        let before = self.state();
        match &seen {
            Seen::Accepted(keys) => (self.keys, self.accepted, self.silent) = (Some(keys.clone()), Some(at), 0),
            Seen::Unreachable(_) => self.silent = self.silent.saturating_add(1),
            Seen::Rejected(_) | Seen::CouldNotJudge(_) => self.silent = 0,
        }
        self.seen = Some(seen);
        self.looked = at;
        if self.state() != before {
            self.since = at;
        }
        event
    }

    pub fn state(&self) -> State {
        match &self.seen {
            None => State::Waiting,
            Some(Seen::Accepted(_)) => State::Accepted,
            Some(Seen::Rejected(_)) => State::Rejected,
            Some(Seen::CouldNotJudge(_)) => State::CouldNotJudge,
            Some(Seen::Unreachable(_)) => State::Unreachable,
        }
    }

    fn event(&self, seen: &Seen) -> Option<Event> {
        let new = !self.seen.as_ref().is_some_and(|last| last.same_state(seen));
        match (seen, &self.keys) {
            (Seen::Accepted(_), None) => Some(Event::Accepted),
            (Seen::Accepted(keys), Some(before)) if (before.boot, before.channel) != (keys.boot, keys.channel) => {
                Some(Event::Rebooted)
            }
            (Seen::Accepted(keys), Some(before)) if before.generation != keys.generation => Some(Event::KeysChanged),
            (Seen::Accepted(_), Some(_)) => new.then_some(Event::Recovered),
            (Seen::Rejected(_), _) => new.then_some(Event::Rejected),
            (Seen::CouldNotJudge(_), _) => new.then_some(Event::CouldNotJudge),
            (Seen::Unreachable(_), _) => new.then_some(Event::Unreachable),
        }
    }

    /// Behind the state, for people: keys, reasons, or why. Empty for a server that was not looked at.
    pub fn words(&self) -> String {
        match &self.seen {
            None => String::new(),
            Some(Seen::Rejected(_)) => self.reasons().join(", "),
            Some(seen) => seen.words(),
        }
    }

    /// Why it is rejected, each with the code of its check. Without those that were not reached: they follow from others.
    pub fn reasons(&self) -> Vec<&str> {
        let Some(Seen::Rejected(all)) = &self.seen else { return vec![] };
        let own: Vec<&str> = all.iter().map(String::as_str).filter(|reason| !reason.ends_with(NOT_REACHED)).collect();
        if own.is_empty() {
            all.iter().map(String::as_str).collect()
        } else {
            own
        }
    }

    /// The same in JSON, with all reasons.
    pub fn describe(&self, value: &mut Value) {
        if let Some(seen) = &self.seen {
            seen.describe(value);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    pub use crate::commands::watch::state::tests::accepted;

    pub fn track(looks: Vec<(Seen, u64)>) -> Track {
        let mut track = Track::default();
        for (seen, at) in looks {
            track.take(Look { seen, at, milliseconds: 1 });
        }
        track
    }

    #[test]
    fn one_line_for_each_change() {
        let silent = |why: &str| Seen::Unreachable(why.into());
        let rejected = |reason: &str| Seen::Rejected(vec![reason.into()]);
        let table = [
            (silent("refused"), Some(Event::Unreachable), 1),
            (silent("timed out"), None, 2),
            (accepted(1, 0), Some(Event::Accepted), 0),
            (accepted(1, 0), None, 0),
            (accepted(1, 1), Some(Event::KeysChanged), 0),
            (silent("refused"), Some(Event::Unreachable), 1),
            (accepted(1, 1), Some(Event::Recovered), 0),
            (silent("refused"), Some(Event::Unreachable), 1),
            (accepted(2, 0), Some(Event::Rebooted), 0),
            (rejected("V20 pcr-4-differs"), Some(Event::Rejected), 0),
            (rejected("V20 pcr-4-differs"), None, 0),
            (rejected("V20 pcr-9-differs"), Some(Event::Rejected), 0),
            (Seen::CouldNotJudge("x".into()), Some(Event::CouldNotJudge), 0),
            (accepted(2, 0), Some(Event::Recovered), 0),
        ];
        let mut track = Track::default();
        for (n, (seen, event, silent)) in table.into_iter().enumerate() {
            assert_eq!(track.take(Look { seen, at: n as u64, milliseconds: 1 }), event, "look {n}");
            assert_eq!(track.silent, silent, "look {n}");
        }
    }

    #[test]
    fn what_follows_from_another_failure_is_left_out() {
        let rejected = |reasons: &[&str]| {
            let seen = Seen::Rejected(reasons.iter().map(|reason| (*reason).into()).collect());
            track(vec![(seen, 1)]).words()
        };
        assert_eq!(
            rejected(&["V01 not-reached", "V02 evidence-malformed", "V05 not-reached"]),
            "V02 evidence-malformed"
        );
        assert_eq!(rejected(&["V01 not-reached"]), "V01 not-reached");
    }

    #[test]
    fn times() {
        let track = track(vec![
            (accepted(1, 0), 10),
            (accepted(1, 0), 20),
            (Seen::Unreachable("x".into()), 30),
            (Seen::Unreachable("y".into()), 40),
        ]);
        assert_eq!((track.since, track.accepted, track.looked), (30, Some(20), 40));
        assert_eq!((track.state(), track.words()), (State::Unreachable, "y".into()));
    }
}
