//! How many requests ended how: classes, and nothing else of a request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vitrine_attest::inside::{Class, Count, FromGateway, Outcome, LATENCIES, SIZES};

/// Classes of one upstream: three ways to sort requests, beside each other.
const CLASSES: usize = Outcome::ALL.len() + LATENCIES.len() + SIZES.len();

/// A table of all classes that there can be: 20 for each upstream, and 20 for requests without one.
#[derive(Debug)]
pub struct Counts {
    names: Vec<String>,
    table: Vec<[AtomicU64; CLASSES]>,
}

impl Counts {
    /// `names`: of the upstreams, in the configuration's order.
    pub fn new(names: impl Iterator<Item = String>) -> Self {
        // the empty name is the last one
        let names: Vec<String> = names.chain([String::new()]).collect();
        let table = names.iter().map(|_| [const { AtomicU64::new(0) }; CLASSES]).collect();
        Self { names, table }
    }

    /// One request is over.
    pub fn add(&self, upstream: Option<usize>, outcome: Outcome, latency: Duration, bytes: u64) {
        let Some(counts) = self.table.get(upstream.unwrap_or(self.names.len() - 1)) else { return };
        let latency = class(&LATENCIES, u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
        let places = [outcome as usize, Outcome::ALL.len() + latency, CLASSES - SIZES.len() + class(&SIZES, bytes)];
        for place in places {
            counts[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests so far, to see whether anything has changed.
    pub fn sum(&self) -> u64 {
        let outcomes = self.table.iter().flat_map(|counts| &counts[..Outcome::ALL.len()]);
        outcomes.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The message to init.
    pub fn message(&self) -> FromGateway {
        FromGateway::Counts(self.lines())
    }

    fn lines(&self) -> Vec<Count> {
        let of = |(name, counts): (&String, &[AtomicU64; CLASSES])| -> Vec<Count> {
            let counts = counts.iter().enumerate().map(|(place, count)| (place, count.load(Ordering::Relaxed)));
            let line = |(place, count)| Count { upstream: name.clone(), class: class_at(place), count };
            counts.filter(|(_, count)| *count > 0).map(line).collect()
        };
        self.names.iter().zip(&self.table).flat_map(of).collect()
    }
}

/// What stands at a place of the table.
fn class_at(place: usize) -> Class {
    let small = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    match (Outcome::ALL.get(place), place.checked_sub(CLASSES - SIZES.len())) {
        (Some(outcome), _) => Class::Outcome(*outcome),
        (None, Some(size)) => Class::Size(small(size)),
        (None, None) => Class::Latency(small(place - Outcome::ALL.len())),
    }
}

/// The first class that is not below the value.
fn class(ends: &[u64], value: u64) -> usize {
    ends.iter().position(|end| value <= *end).unwrap_or(ends.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use vitrine_attest::config::MOST_UPSTREAMS;
    use vitrine_attest::inside::{LINE_LIMIT, MOST_COUNTS};

    #[test]
    fn classes() {
        let counts = Counts::new(["a".to_owned(), "b".to_owned()].into_iter());
        counts.add(Some(1), Outcome::ServerError, Duration::from_millis(31), 1024);
        counts.add(Some(1), Outcome::ServerError, Duration::from_millis(300), 0);
        counts.add(None, Outcome::Refused, Duration::from_secs(99), u64::MAX);
        let lines = counts.lines();
        let line = |upstream: &str, class, count| Count { upstream: upstream.into(), class, count };
        assert_eq!(
            lines,
            [
                line("b", Class::Outcome(Outcome::ServerError), 2),
                line("b", Class::Latency(1), 2),
                line("b", Class::Size(0), 2),
                line("", Class::Outcome(Outcome::Refused), 1),
                line("", Class::Latency(4), 1),
                line("", Class::Size(4), 1),
            ]
        );
        assert_eq!(counts.sum(), 3);
    }

    #[test]
    fn each_place_has_its_class() {
        for (n, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, n);
        }
        let all: HashSet<Class> = (0..CLASSES).map(class_at).collect();
        assert!(all.len() == CLASSES && all.iter().all(|class| class.is_one()));
    }

    #[test]
    fn a_message_fits_one_line() {
        let counts = Counts::new((0..MOST_UPSTREAMS).map(|n| format!("{n:032}")));
        counts.table.iter().flatten().for_each(|count| count.store(u64::MAX, Ordering::Relaxed));
        assert_eq!(counts.lines().len(), MOST_COUNTS);
        assert!(serde_json::to_vec(&counts.message()).unwrap().len() < LINE_LIMIT);
    }
}
