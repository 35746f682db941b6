//! The closed list of series. A value is a place in one of these lists of words; numbers never leave PID 1.

use vitrine_attest::config::Level;

/// One series: its name, and the words that its values can be.
#[derive(Debug)]
pub struct Scale {
    pub name: &'static str,
    pub help: &'static str,
    /// From this level on.
    pub level: Level,
    /// Each with the first value that is above it; the last word has no end.
    pub classes: &'static [(&'static str, u64)],
}

/// Where a word has no end.
const END: u64 = u64::MAX;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const MEGABIT: u64 = 1_000_000;

/// Names refused because of the blocklist since the tick before.
pub const BLOCKED: Scale = Scale {
    name: "vitrine_blocked_names",
    help: "Names refused because of the blocklist in the last tick.",
    level: Level::L2,
    classes: &[("few", 100), ("hundreds", 1000), ("thousands", 10_000), ("many", END)],
};
/// Per cent of all processors' time since the tick before.
pub const CPU: Scale = Scale {
    name: "vitrine_cpu",
    help: "Processor time used in the last tick.",
    level: Level::L1,
    classes: &[("low", 25), ("medium", 50), ("high", 75), ("full", END)],
};
/// Per cent of the memory that is not available.
pub const MEMORY: Scale = Scale {
    name: "vitrine_memory",
    help: "Memory in use.",
    level: Level::L1,
    classes: &[("low", 25), ("medium", 50), ("high", 75), ("full", END)],
};
/// Requests to the gateway since the tick before, of one upstream and outcome.
pub const REQUESTS: Scale = Scale {
    name: "vitrine_gateway_requests",
    help: "Requests that ended in the last tick.",
    level: Level::L2,
    classes: &[("few", 100), ("hundreds", 1000), ("thousands", 10_000), ("many", END)],
};
/// Peers with a handshake in the last 180 s. Below ten there is one class: nobody can be told apart.
pub const SESSIONS: Scale = Scale {
    name: "vitrine_sessions",
    help: "Live sessions.",
    level: Level::L2,
    classes: &[("few", 10), ("tens", 100), ("hundreds", 1000), ("thousands", END)],
};
/// Bits per second through the outer interface, both directions, averaged since the tick before.
pub const THROUGHPUT: Scale = Scale {
    name: "vitrine_throughput",
    help: "Traffic of the outer interface in the last tick.",
    level: Level::L2,
    classes: &[
        ("quiet", MEGABIT),
        ("low", 10 * MEGABIT),
        ("medium", 100 * MEGABIT),
        ("high", 1000 * MEGABIT),
        ("full", END),
    ],
};
/// Seconds since the kernel started.
pub const UPTIME: Scale = Scale {
    name: "vitrine_uptime",
    help: "Time since the boot.",
    level: Level::L1,
    classes: &[("minutes", HOUR), ("hours", DAY), ("days", 7 * DAY), ("weeks", 30 * DAY), ("months", END)],
};

impl Scale {
    /// The place of a value's word.
    pub fn place(&self, value: u64) -> usize {
        self.classes.iter().position(|(_, end)| value < *end).unwrap_or(self.classes.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        let word = |scale: &Scale, value| scale.classes[scale.place(value)].0;
        assert_eq!([0, 9, 10, 99, 1000].map(|n| word(&SESSIONS, n)), ["few", "few", "tens", "tens", "thousands"]);
        assert_eq!([0, 3599, 3600, u64::MAX].map(|n| word(&UPTIME, n)), ["minutes", "minutes", "hours", "months"]);
        assert_eq!([24, 25, 75, 100].map(|n| word(&CPU, n)), ["low", "medium", "full", "full"]);
        assert_eq!([999_999, 1_000_000].map(|n| word(&THROUGHPUT, n)), ["quiet", "low"]);
    }

    #[test]
    fn words_rise_and_have_floors() {
        for scale in [BLOCKED, CPU, MEMORY, REQUESTS, SESSIONS, THROUGHPUT, UPTIME] {
            assert!(scale.classes.windows(2).all(|pair| pair[0].1 < pair[1].1), "{}", scale.name);
            assert_eq!(scale.classes.last().unwrap().1, END, "{}", scale.name);
        }
        assert!(SESSIONS.classes[0].1 >= 10 && BLOCKED.classes[0].1 >= 10 && REQUESTS.classes[0].1 >= 10);
    }
}
