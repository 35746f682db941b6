//! What was seen last, and what of the next look is worth a line. No I/O.

use crate::report::Keys;
use serde_json::Value;

/// One look at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Accepted(Keys),
    /// Failed checks with their reasons.
    Rejected(Vec<String>),
    /// Why.
    CouldNotJudge(String),
    /// Why.
    Unreachable(String),
}

impl Seen {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Accepted(_) => 0,
            Self::Rejected(_) => 1,
            Self::CouldNotJudge(_) | Self::Unreachable(_) => 2,
        }
    }

    /// Behind the state, for people: keys, reasons, or why.
    pub fn words(&self) -> String {
        match self {
            Self::Accepted(keys) => {
                let ports: Vec<String> = keys.ports.iter().map(u16::to_string).collect();
                format!("WireGuard key {} of generation {}, UDP {}", keys.wireguard, keys.generation, ports.join(", "))
            }
            Self::Rejected(reasons) => reasons.join(", "),
            Self::CouldNotJudge(why) | Self::Unreachable(why) => why.clone(),
        }
    }

    /// The same in JSON.
    pub fn describe(&self, value: &mut Value) {
        match self {
            Self::Accepted(keys) => {
                value["wireguard"] = keys.wireguard.to_string().into();
                value["generation"] = keys.generation.into();
                value["ports"] = keys.ports.clone().into();
                value["boot"] = keys.boot.to_string().into();
            }
            Self::Rejected(reasons) => value["reasons"] = reasons.clone().into(),
            Self::CouldNotJudge(why) | Self::Unreachable(why) => value["why"] = why.clone().into(),
        }
    }

    /// Two looks of one kind are one state; only rejections differ by their reasons.
    pub fn same_state(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rejected(a), Self::Rejected(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// What is worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Accepted,
    /// Accepted, with other boot keys than the last time it was.
    Rebooted,
    /// Accepted, the same boot, with a newer WireGuard key.
    Rotated,
    Rejected,
    CouldNotJudge,
    Unreachable,
    /// The command after a reboot has ended, with this exit code; none: it did not run, or was ended by a signal.
    Command(Option<i32>),
}

impl Event {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rebooted => "rebooted",
            Self::Rotated => "rotated",
            Self::Rejected => "rejected",
            Self::CouldNotJudge => "could-not-judge",
            Self::Unreachable => "unreachable",
            Self::Command(_) => "command",
        }
    }

    /// Behind the name, for people.
    pub fn words(self, seen: &Seen) -> String {
        match self {
            Self::Command(Some(code)) => format!("ended with exit code {code}"),
            Self::Command(None) => "could not be run, or was ended by a signal".into(),
            _ => seen.words(),
        }
    }

    /// The same in JSON.
    pub fn describe(self, seen: &Seen, value: &mut Value) {
        match self {
            Self::Command(code) => value["exit_code"] = code.into(),
            _ => seen.describe(value),
        }
    }
}

/// The last look, and the keys of the last time the server was accepted.
#[derive(Debug, Default)]
pub struct State {
    last: Option<Seen>,
    keys: Option<Keys>,
}

impl State {
    /// Takes a look; gives what has changed, at most one event.
    pub fn change(&mut self, seen: &Seen) -> Option<Event> {
        let event = self.event(seen);
        if let Seen::Accepted(keys) = seen {
            self.keys = Some(keys.clone());
        }
        self.last = Some(seen.clone());
        event
    }

    fn event(&self, seen: &Seen) -> Option<Event> {
        let new = !self.last.as_ref().is_some_and(|last| last.same_state(seen));
        match seen {
            Seen::Accepted(keys) => match &self.keys {
                Some(before) if (before.boot, before.channel) != (keys.boot, keys.channel) => Some(Event::Rebooted),
                Some(before) if before.generation != keys.generation => Some(Event::Rotated),
                _ => new.then_some(Event::Accepted),
            },
            Seen::Rejected(_) => new.then_some(Event::Rejected),
            Seen::CouldNotJudge(_) => new.then_some(Event::CouldNotJudge),
            Seen::Unreachable(_) => new.then_some(Event::Unreachable),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use vitrine_attest::digest::Key32;
    use vitrine_attest::Sha256;

    pub fn accepted(boot: u8, generation: u32) -> Seen {
        Seen::Accepted(Keys {
            wireguard: Key32([boot; 32]),
            generation,
            ports: vec![51820],
            boot: Key32([boot; 32]),
            channel: Key32([boot; 32]),
            tls_spki: Sha256::ZERO,
        })
    }

    fn rejected(reason: &str) -> Seen {
        Seen::Rejected(vec![reason.into()])
    }

    #[test]
    fn one_line_for_each_change() {
        let silent = |why: &str| Seen::Unreachable(why.into());
        let table = [
            (silent("refused"), Some(Event::Unreachable)),
            (silent("timed out"), None),
            (accepted(1, 0), Some(Event::Accepted)),
            (accepted(1, 0), None),
            (accepted(1, 1), Some(Event::Rotated)),
            (accepted(1, 1), None),
            (silent("refused"), Some(Event::Unreachable)),
            (accepted(1, 1), Some(Event::Accepted)),
            (silent("refused"), Some(Event::Unreachable)),
            (accepted(2, 0), Some(Event::Rebooted)),
            (rejected("V20 pcr-4-differs"), Some(Event::Rejected)),
            (rejected("V20 pcr-4-differs"), None),
            (rejected("V20 pcr-9-differs"), Some(Event::Rejected)),
            (Seen::CouldNotJudge("x".into()), Some(Event::CouldNotJudge)),
            (accepted(3, 0), Some(Event::Rebooted)),
            (accepted(4, 5), Some(Event::Rebooted)),
        ];
        let mut state = State::default();
        for (n, (seen, event)) in table.into_iter().enumerate() {
            assert_eq!(state.change(&seen), event, "look {n}");
        }
    }
}
