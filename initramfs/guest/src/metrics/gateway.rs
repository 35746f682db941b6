//! The gateway's part of the page: how many requests, how quick, how large, in classes by upstream and outcome.
//!
//! ```text
//! vitrine_gateway_latency{upstream="api",class="fast"} 1
//! vitrine_gateway_requests{upstream="api",outcome="ok",class="hundreds"} 1
//! ```
//! All numbers are those of one tick. A latency or a size is told only of [`FLOOR`] requests or more, and then that of their middle
//! one: whoever sends the only request of a tick learns nothing of it from the page, and nobody else does.

use super::page::lines_of;
use super::scale::REQUESTS;
use std::collections::BTreeMap;
use vitrine_attest::config::Config;
use vitrine_attest::inside::{Class, Count, Outcome, LATENCIES, SIZES};

/// Requests below which the page says `few`.
const FLOOR: u64 = 100;
/// Of requests that were too few, and of each class.
const LATENCY: [&str; LATENCIES.len() + 1] = ["few", "instant", "fast", "medium", "slow", "endless"];
const SIZE: [&str; SIZES.len() + 1] = ["few", "tiny", "small", "medium", "large", "huge"];

type Counts = BTreeMap<(String, Class), u64>;

/// What the last tick ended with.
#[derive(Debug)]
pub struct Requests {
    /// Sorted, the requests without one first.
    upstreams: Vec<String>,
    before: Counts,
}

impl Requests {
    /// None without a gateway.
    pub fn new(config: &Config) -> Option<Self> {
        let gateway = config.gateway.as_ref()?;
        let names = gateway.upstreams.keys().cloned();
        Some(Self { upstreams: [String::new()].into_iter().chain(names).collect(), before: Counts::new() })
    }

    /// The page of a gateway that has answered nothing.
    pub fn first_page(&self) -> String {
        self.page(&Counts::new())
    }

    /// The lines for the tick that ends now. `counts` are those since the gateway's start; one that was started again begins anew.
    pub fn tick(&mut self, counts: &[Count]) -> String {
        let now: Counts = counts.iter().map(|count| ((count.upstream.clone(), count.class), count.count)).collect();
        let since = |(key, count): (&(String, Class), &u64)| {
            let before = self.before.get(key).copied().unwrap_or(0);
            (key.clone(), count.checked_sub(before).unwrap_or(*count))
        };
        let page = self.page(&now.iter().map(since).collect());
        self.before = now;
        page
    }

    fn page(&self, tick: &Counts) -> String {
        let of = |upstream: &String, class| tick.get(&(upstream.clone(), class)).copied().unwrap_or(0);
        let (mut latency, mut requests, mut size) = (
            heading("vitrine_gateway_latency", "Time to the header of the answer, middle request of the last tick."),
            heading(REQUESTS.name, REQUESTS.help),
            heading("vitrine_gateway_size", "Bodies of request and answer, middle request of the last tick."),
        );
        let words: Vec<&str> = REQUESTS.classes.iter().map(|(word, _)| *word).collect();
        for upstream in &self.upstreams {
            let label = ["upstream=\"", upstream, "\","].concat();
            let middle = |class: fn(u8) -> Class, count: u8| {
                median(&(0..count).map(|index| of(upstream, class(index))).collect::<Vec<_>>())
            };
            latency += &lines_of("vitrine_gateway_latency", &label, &LATENCY, middle(Class::Latency, 5));
            size += &lines_of("vitrine_gateway_size", &label, &SIZE, middle(Class::Size, 5));
            for outcome in Outcome::ALL {
                let label = [&label, "outcome=\"", outcome.word(), "\","].concat();
                let place = REQUESTS.place(of(upstream, Class::Outcome(outcome)));
                requests += &lines_of(REQUESTS.name, &label, &words, place);
            }
        }
        [latency, requests, size].concat()
    }
}

fn heading(name: &str, help: &str) -> String {
    ["# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n"].concat()
}

/// 0 for too few requests; else one more than the place of the middle one.
fn median(counts: &[u64]) -> usize {
    let all = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
    if all < FLOOR {
        return 0;
    }
    let mut sum = 0u64;
    let reached = |count: &u64| {
        sum = sum.saturating_add(*count);
        sum > all / 2
    };
    counts.iter().position(reached).map_or(0, |place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::config::MOST_UPSTREAMS;
    use vitrine_attest::inside::LINE_LIMIT;

    fn requests() -> Requests {
        let text = r#"{"wireguard":{"addresses":["10.66.0.1/24"]},"gateway":{"routes":[],
            "upstreams":{"api":{"addresses":[],"name":"x"},"b2":{"addresses":[],"name":"y"}}}}"#;
        Requests::new(&serde_json::from_str(text).unwrap()).unwrap()
    }

    fn count(upstream: &str, class: Class, count: u64) -> Count {
        Count { upstream: upstream.into(), class, count }
    }

    const OK: Class = Class::Outcome(Outcome::Ok);

    #[test]
    fn none_without_a_gateway() {
        let config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
        assert!(Requests::new(&config).is_none());
    }

    /// Each series has all its lines, and one of them is 1.
    #[test]
    fn closed() {
        let mut requests = requests();
        let lines = |page: &str| {
            page.lines().map(|line| line.trim_end_matches([' ', '0', '1']).to_string()).collect::<Vec<_>>()
        };
        let first = requests.first_page();
        for n in [0, 99, 100, 5000, u64::MAX] {
            let page =
                requests.tick(&[count("api", OK, n), count("", Class::Latency(4), n), count("b2", Class::Size(0), n)]);
            assert_eq!(lines(&page), lines(&first));
            assert_eq!(
                page.lines().filter(|line| line.ends_with(" 1")).count(),
                3 * (2 + Outcome::ALL.len()),
                "{page}"
            );
        }
    }

    #[test]
    fn by_tick_and_above_the_floor() {
        let mut requests = requests();
        let of =
            |n: u64| [count("api", OK, n), count("api", Class::Latency(1), n), count("api", Class::Size(3), n / 3)];
        let page = requests.tick(&of(99));
        assert!(page.contains("vitrine_gateway_requests{upstream=\"api\",outcome=\"ok\",class=\"few\"} 1\n"), "{page}");
        assert!(page.contains("vitrine_gateway_latency{upstream=\"api\",class=\"few\"} 1\n"), "{page}");
        let page = requests.tick(&of(299));
        assert!(
            page.contains("vitrine_gateway_requests{upstream=\"api\",outcome=\"ok\",class=\"hundreds\"} 1\n"),
            "{page}"
        );
        assert!(page.contains("vitrine_gateway_latency{upstream=\"api\",class=\"fast\"} 1\n"), "{page}");
        assert!(page.contains("vitrine_gateway_size{upstream=\"api\",class=\"few\"} 1\n"), "{page}");
        // started again: what it says since then
        let page = requests.tick(&of(150));
        assert!(
            page.contains("vitrine_gateway_requests{upstream=\"api\",outcome=\"ok\",class=\"hundreds\"} 1\n"),
            "{page}"
        );
    }

    /// Two worlds with the same classes are the same bytes: who sent one request more or less does not show.
    #[test]
    fn two_worlds() {
        let mut pages = [(3, 0), (98, 40)].map(|(n, other)| {
            let mut requests = requests();
            requests.tick(&[
                count("api", OK, n),
                count("api", Class::Latency(0), n),
                count("api", Class::Outcome(Outcome::ClientError), other),
                count("b2", Class::Size(4), other),
            ])
        });
        let (one, rest) = pages.split_at_mut(1);
        assert_eq!(one[0], rest[0]);
    }

    /// The longest page fits into a line to the program that serves it.
    #[test]
    fn fits_into_a_line() {
        let names = (0..MOST_UPSTREAMS).map(|n| ["a".repeat(31), n.to_string()].concat());
        let requests =
            Requests { upstreams: [String::new()].into_iter().chain(names).collect(), before: Counts::new() };
        let text = serde_json::to_string(&requests.first_page()).unwrap();
        assert!(text.len() + 8192 < LINE_LIMIT, "{}", text.len());
    }

    #[test]
    fn middle() {
        assert_eq!(median(&[99, 0, 0]), 0);
        assert_eq!(median(&[100, 0, 0]), 1);
        assert_eq!(median(&[50, 50, 0]), 2);
        assert_eq!(median(&[10, 10, 80]), 3);
        assert_eq!(median(&[u64::MAX, u64::MAX]), 1);
    }
}
