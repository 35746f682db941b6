//! What the mirrors had to say about one file, and the error that comes of it when none had it.

use super::fetch::Wanted;
use crate::progress::Progress;
use vitrine_attest::{Blame, Error, Result};

/// In the message when no mirror has a locked file any more (exit code 2), so that scripts can tell.
pub const GONE: &str = "is gone from every mirror";

/// One line for each mirror that was asked.
#[derive(Default)]
pub(super) struct Story {
    said: Vec<(String, Said)>,
}

#[derive(PartialEq, Eq)]
enum Said {
    Gone,
    /// What was got instead.
    Altered(String),
    Failed(String),
}

impl Story {
    /// Notes it once for each mirror: one that lacks a version often lacks many.
    pub fn gone(&mut self, url: &str, file: &Wanted, progress: &Progress) {
        self.said.push((url.into(), Said::Gone));
        let lost = format!("{url} does not have ");
        if !progress.notes().iter().any(|note| note.starts_with(&lost)) {
            progress.note(&format!("{lost}{}, and maybe others: the next mirror is asked", file.label));
        }
    }

    pub fn altered(&mut self, url: &str, found: String) {
        self.said.push((url.into(), Said::Altered(found)));
    }

    pub fn failed(&mut self, url: &str, why: String) {
        self.said.push((url.into(), Said::Failed(why)));
    }

    /// A mirror that lies weighs most, then one that fails.
    pub fn error(self, file: &Wanted) -> Error {
        let any = |wanted: fn(&Said) -> bool| self.said.iter().any(|(_, said)| wanted(said));
        if any(|said| matches!(said, Said::Altered(_))) {
            let what = format!("{} differs from its record: expected {}; {}", file.label, file.sha256, self.list());
            return Error::artefact(what, "name another mirror with --mirror URL; nothing of this was kept");
        }
        if any(|said| matches!(said, Said::Failed(_))) {
            let what = format!("{} cannot be fetched: {}", file.label, self.list());
            let hint = "check the network and the proxy, or name another mirror with --mirror URL; the same command \
                        goes on where this one stopped";
            return Error::host(what, hint);
        }
        if self.said.is_empty() {
            let what = format!("{}: no mirror of the archive {} is known", file.label, file.archive);
            return Error::host(what, format!("name one with --mirror http://HOST/{}", file.archive));
        }
        let mut urls: Vec<&str> = self.said.iter().map(|(url, _)| url.as_str()).collect();
        urls.dedup();
        Error::host(format!("{} {GONE} ({})", file.label, urls.join(", ")), gone_hint())
    }

    /// Each mirror with its reason.
    fn list(&self) -> String {
        let mut lines: Vec<String> = self
            .said
            .iter()
            .map(|(url, said)| match said {
                Said::Gone => format!("{url} does not have it"),
                Said::Altered(found) => format!("{url} has other bytes, {found}"),
                Said::Failed(why) => format!("{url} {why}"),
            })
            .collect();
        lines.dedup();
        lines.join("; ")
    }
}

fn gone_hint() -> &'static str {
    "mirrors drop old versions: name another mirror with --mirror URL, dated copies with --snapshot URL, or make a new \
     lock with `vitrine lock` or `vitrine update`"
}

/// One error for all: an altered file first, then what failed, then all that are gone.
pub(super) fn gather(mut errors: Vec<Error>) -> Result<()> {
    let rank = |error: &Error| match error.blame {
        Blame::Artefact => 0,
        _ if !error.what.contains(GONE) => 1,
        _ => 2,
    };
    errors.sort_by_key(rank);
    let Some(first) = errors.first().cloned() else { return Ok(()) };
    let gone = errors.iter().filter(|error| rank(error) == 2).count();
    if rank(&first) < 2 || gone < 2 {
        return Err(first);
    }
    let parts: Vec<(&str, &str)> = errors.iter().filter_map(|error| error.what.split_once(GONE)).collect();
    let labels: Vec<&str> = parts.iter().map(|(label, _)| label.trim_end()).collect();
    let mirrors = parts.first().map_or("", |(_, mirrors)| mirrors);
    Err(Error::host(format!("each of {gone} files {GONE}{mirrors}: {}", labels.join(", ")), gone_hint()))
}
