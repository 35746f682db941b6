//! What was masked, for people.

use super::{Action, Masked};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Paths named for each rule; the whole list is in `4-screen.json`.
const NAMED: usize = 4;

/// Rule by rule, with counts, a few paths each, and why. Empty when nothing was masked.
/// ```text
/// masked    mask.journal: 31 removed, 11 nulled, 2 edited
///     why:  the journal stores what every service and the kernel print
///     /usr/bin/journalctl, /usr/lib/systemd/systemd-journald, … and 42 more
/// ```
pub fn summary(masked: &[Masked]) -> String {
    let mut rules: BTreeMap<&str, Vec<&Masked>> = BTreeMap::new();
    for entry in masked {
        rules.entry(&entry.rule).or_default().push(entry);
    }
    rules.iter().fold(String::new(), |mut text, (rule, entries)| {
        // writing to a String cannot fail
        let _ = writeln!(text, "masked    {rule}: {}", counts(entries));
        if let Some(first) = entries.first() {
            let _ = writeln!(text, "    why:  {}", first.why);
        }
        let named: Vec<&str> = entries.iter().take(NAMED).map(|entry| entry.path.as_str()).collect();
        let more = match entries.len() - named.len() {
            0 => String::new(),
            more => format!(" … and {more} more"),
        };
        let _ = writeln!(text, "    {}{more}", named.join(", "));
        text
    })
}

fn counts(entries: &[&Masked]) -> String {
    let all = [
        (Action::Removed, "removed"),
        (Action::Nulled, "nulled"),
        (Action::Edited, "edited"),
        (Action::Plain, "without special bits"),
    ];
    let count = |action| entries.iter().filter(|entry| entry.action == action).count();
    let counts = all.into_iter().map(|(action, word)| (count(action), word)).filter(|(count, _)| *count > 0);
    counts.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::ImagePath;

    fn masked(rule: &str, path: &str, action: Action) -> Masked {
        let path = ImagePath::parse(path).unwrap();
        Masked { rule: rule.into(), action, why: "w".into(), ..Masked::plain_mode(&path, 0, "p 1".into()) }
    }

    #[test]
    fn grouped_with_counts() {
        let mut all: Vec<_> = (0..6).map(|n| masked("b", &format!("/b{n}"), Action::Removed)).collect();
        all.push(masked("a", "/a", Action::Edited));
        all.push(masked("b", "/u", Action::Nulled));
        let wanted = "masked    a: 1 edited\n    why:  w\n    /a\n\
                      masked    b: 6 removed, 1 nulled\n    why:  w\n    /b0, /b1, /b2, /b3 … and 3 more\n";
        assert_eq!(summary(&all), wanted);
        assert_eq!(summary(&[]), "");
    }
}
