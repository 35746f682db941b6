//! What one release has that the one before it has not.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use vitrine_attest::event_log::printable;
use vitrine_attest::statement::{Input, Release};

/// Most names of one list that are kept; the rest is counted. A new Debian release changes some hundred packages.
const KEPT: usize = 64;
/// Longest text that is kept, in characters: a command line of ours has 600.
const TEXT_LIMIT: usize = 4096;

/// Against the release of the same name before it. Texts are safe to print.
///
/// Shows what the statement says of the image, not what is in the image: for that, somebody has to rebuild it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Entry of the release before.
    pub since: u64,
    /// Packages and programs: `name version`.
    pub added: Changed,
    pub removed: Changed,
    /// `name old → new`.
    pub changed: Changed,
    /// Command line before and now, when they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<(String, String)>,
    /// Exceptions to screen rules that are new: `rule path: reason`.
    pub waived: Changed,
    pub waivers_gone: u64,
    pub config: bool,
}

/// The first of them, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    pub count: u64,
    pub first: Vec<String>,
}

impl Changed {
    fn of(all: impl Iterator<Item = String>) -> Self {
        let mut changed = Self::default();
        for text in all {
            if changed.first.len() < KEPT {
                changed.first.push(safe(&text));
            }
            changed.count += 1;
        }
        changed
    }
}

impl Changes {
    pub fn between(since: u64, before: &Release, now: &Release) -> Self {
        let (old, new) = (by_name(&before.inputs), by_name(&now.inputs));
        let only = |a: &BTreeMap<_, &Input>, b: &BTreeMap<_, &Input>| {
            Changed::of(
                a.iter().filter(|(key, _)| !b.contains_key(*key)).map(|(_, i)| format!("{} {}", i.name, i.version)),
            )
        };
        let changed = new.iter().filter_map(|(key, now)| {
            let before =
                old.get(key).filter(|before| (&before.version, before.sha256) != (&now.version, now.sha256))?;
            let rebuilt = if before.version == now.version { " (other bytes)" } else { "" };
            Some(format!("{} {} → {}{rebuilt}", now.name, before.version, now.version))
        });
        let waivers = |release: &Release| -> BTreeSet<(String, String, String)> {
            release.waivers.iter().map(|w| (w.rule.clone(), w.path.clone(), w.reason.clone())).collect()
        };
        let (old_waivers, new_waivers) = (waivers(before), waivers(now));
        let cmdline = (before.cmdline != now.cmdline).then(|| (safe(&before.cmdline), safe(&now.cmdline)));
        Self {
            since,
            added: only(&new, &old),
            removed: only(&old, &new),
            changed: Changed::of(changed),
            cmdline,
            waived: Changed::of(new_waivers.difference(&old_waivers).map(|(r, p, why)| format!("{r} {p}: {why}"))),
            waivers_gone: old_waivers.difference(&new_waivers).count() as u64,
            config: before.config_digest != now.config_digest,
        }
    }
}

/// One package can be there in two versions: the first of them counts.
fn by_name(inputs: &[Input]) -> BTreeMap<(&str, &str), &Input> {
    let mut found = BTreeMap::new();
    for input in inputs {
        found.entry((input.kind.as_str(), input.name.as_str())).or_insert(input);
    }
    found
}

fn safe(text: &str) -> String {
    printable(text).chars().take(TEXT_LIMIT).collect()
}
