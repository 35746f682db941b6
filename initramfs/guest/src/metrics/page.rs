//! The page, in the Prometheus text format (version 0.0.4).
//!
//! ```text
//! # HELP vitrine_cpu Processor time used in the last tick.
//! # TYPE vitrine_cpu gauge
//! vitrine_cpu{class="low"} 1
//! vitrine_cpu{class="medium"} 0
//! vitrine_cpu{class="high"} 0
//! vitrine_cpu{class="full"} 0
//! ```
//! Each series has all its lines at all times, and exactly one of them is 1. No time, no other label, no other digit.

use super::scale::{Scale, BLOCKED, CPU, MEMORY, SESSIONS, THROUGHPUT, UPTIME};
use vitrine_attest::config::Level;

/// Exact numbers of one tick; they end in [`Self::render`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Values {
    pub blocked: u64,
    pub cpu: u64,
    pub memory: u64,
    pub sessions: u64,
    pub throughput: u64,
    pub uptime: u64,
}

impl Values {
    /// All that may be told at a level, sorted by name.
    pub fn render(&self, level: Level) -> String {
        let series = [
            (&BLOCKED, self.blocked),
            (&CPU, self.cpu),
            (&MEMORY, self.memory),
            (&SESSIONS, self.sessions),
            (&THROUGHPUT, self.throughput),
            (&UPTIME, self.uptime),
        ];
        let told = series.iter().filter(|(scale, _)| scale.level <= level);
        told.map(|(scale, value)| lines(scale, scale.place(*value))).collect()
    }
}

fn lines(scale: &Scale, place: usize) -> String {
    let heading = ["# HELP ", scale.name, " ", scale.help, "\n# TYPE ", scale.name, " gauge\n"].concat();
    let words: Vec<&str> = scale.classes.iter().map(|(word, _)| *word).collect();
    heading + &lines_of(scale.name, "", &words, place)
}

/// One line for each class of a series. `labels` stand before the class, each with its comma.
pub fn lines_of(name: &str, labels: &str, words: &[&str], place: usize) -> String {
    let mut text = String::new();
    for (n, word) in words.iter().enumerate() {
        let value = if n == place { "1" } else { "0" };
        text += &[name, "{", labels, "class=\"", word, "\"} ", value, "\n"].concat();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values in every class of every scale, and at the ends.
    fn many() -> Vec<Values> {
        let numbers = [0, 1, 9, 10, 30, 60, 99, 100, 999, 1000, 9999, 50_000, 700_000, 5_000_000, 1 << 40, u64::MAX];
        let mut all = vec![];
        for n in numbers {
            for m in numbers {
                all.push(Values { blocked: n, cpu: m, memory: n, sessions: m, throughput: n, uptime: m });
            }
        }
        all
    }

    /// The whole vocabulary, written out: a new series or word has to be added here and in `docs/metrics.md`.
    const SERIES: [(&str, &[&str]); 6] = [
        ("vitrine_blocked_names", &["few", "hundreds", "thousands", "many"]),
        ("vitrine_cpu", &["low", "medium", "high", "full"]),
        ("vitrine_memory", &["low", "medium", "high", "full"]),
        ("vitrine_sessions", &["few", "tens", "hundreds", "thousands"]),
        ("vitrine_throughput", &["quiet", "low", "medium", "high", "full"]),
        ("vitrine_uptime", &["minutes", "hours", "days", "weeks", "months"]),
    ];

    /// Name, class, value of each line that is no comment.
    fn samples(page: &str) -> Vec<(&str, &str, &str)> {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, rest) = line.split_once("{class=\"").expect("one label");
                let (class, value) = rest.split_once("\"} ").expect("one value");
                (name, class, value)
            })
            .collect()
    }

    #[test]
    fn nothing_but_the_closed_list() {
        let expected: Vec<(&str, &str)> =
            SERIES.iter().flat_map(|(name, classes)| classes.iter().map(|class| (*name, *class))).collect();
        for values in many() {
            let page = values.render(Level::L2);
            let found = samples(&page);
            assert_eq!(found.iter().map(|(name, class, _)| (*name, *class)).collect::<Vec<_>>(), expected);
            for (name, _) in SERIES {
                let ones = found.iter().filter(|(other, _, value)| *other == name && *value == "1").count();
                assert_eq!(ones, 1, "{name}");
            }
            assert!(found.iter().all(|(_, _, value)| ["0", "1"].contains(value)));
        }
    }

    /// An address, a port, a time or a count needs two digits, or a digit anywhere else than at the end of a line.
    #[test]
    fn no_number_can_be_written() {
        for values in many() {
            for line in values.render(Level::L2).lines() {
                let digits: Vec<usize> =
                    line.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
                let expected = if line.starts_with('#') { vec![] } else { vec![line.len() - 1] };
                assert_eq!(digits, expected, "{line}");
                assert!(!line.contains(['.', ':', '/']) || line.starts_with("# HELP"), "{line}");
            }
        }
    }

    #[test]
    fn levels() {
        let names = |level| {
            let page = Values::default().render(level);
            let mut names: Vec<String> = samples(&page).iter().map(|(name, _, _)| (*name).to_string()).collect();
            names.dedup();
            names
        };
        assert!(names(Level::L0).is_empty());
        assert_eq!(names(Level::L1), ["vitrine_cpu", "vitrine_memory", "vitrine_uptime"]);
        assert_eq!(names(Level::L2), SERIES.map(|(name, _)| name));
        assert!(names(Level::L2).is_sorted());
    }

    /// Two worlds with the same classes are the same bytes.
    #[test]
    fn exact_numbers_do_not_show() {
        let one = Values { blocked: 3, cpu: 1, memory: 30, sessions: 2, throughput: 900_000, uptime: 61 };
        let other = Values { blocked: 99, cpu: 24, memory: 49, sessions: 9, throughput: 0, uptime: 3599 };
        assert_eq!(one.render(Level::L2), other.render(Level::L2));
        let more = Values { sessions: 10, ..other };
        assert_ne!(more.render(Level::L2), other.render(Level::L2));
    }

    #[test]
    fn form() {
        let page = Values { cpu: 60, ..Values::default() }.render(Level::L1);
        let cpu = "# HELP vitrine_cpu Processor time used in the last tick.\n# TYPE vitrine_cpu gauge\n\
                   vitrine_cpu{class=\"low\"} 0\nvitrine_cpu{class=\"medium\"} 0\nvitrine_cpu{class=\"high\"} 1\n\
                   vitrine_cpu{class=\"full\"} 0\n";
        assert!(page.starts_with(cpu), "{page}");
        assert!(page.ends_with('\n') && !page.contains("_created") && !page.contains("\n\n"));
    }
}
