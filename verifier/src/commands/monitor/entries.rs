//! The entries of a log: read part by part, judged when they are known to stand in it, and remembered before the next part.

use super::log::{known, Found};
use super::Round;
use crate::clock::now;
use crate::files;
use crate::log::Snapshot;
use crate::monitor::{read_on, Finding, Kind, LogState, Proven, Proving, Rules, Shown, Watched};
use crate::published::files_of;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use vitrine_attest::dsse::{Envelope, ENVELOPE_LIMIT};
use vitrine_attest::entry::Entry;
use vitrine_attest::event_log::printable;
use vitrine_attest::statement::Release;
use vitrine_attest::{tlog_proof, Error, Result};

/// Releases whose statements are kept to be compared with the next of their name.
const KEPT: usize = 64;

impl Round<'_> {
    /// Reads on to the end of what was signed, or as far as time allows.
    pub(super) fn entries(
        &mut self,
        watched: &Watched,
        found: &mut Found,
        until: Instant,
        stop: &AtomicBool,
    ) -> Result<()> {
        let Some(snapshot) = known(self.ledger.state().logs.get(&watched.origin)) else { return Ok(()) };
        let size = snapshot.checkpoint.size;
        let mut before = BTreeMap::new();
        loop {
            let mut log = self.ledger.state().logs.get(&watched.origin).cloned().unwrap_or_default();
            if log.read.size >= size {
                break;
            }
            let part = match read_on(&watched.place, log.read, &snapshot.checkpoint, until) {
                Ok(part) => part,
                Err(error) => {
                    found.failed(watched, "the log", &error);
                    return Ok(());
                }
            };
            let mut here = Found::default();
            let releases = log.releases.len();
            judge(watched, &snapshot, &mut log, &part.entries, &mut before, &mut here.findings)?;
            log.read = part.head;
            log.trim();
            self.releases(watched, &log, releases)?;
            self.ledger.state_mut().logs.insert(watched.origin.clone(), log);
            self.settle(watched, here)?;
            self.ledger.write()?;
            if part.head.size < size {
                let line = json!({"about": watched.origin, "event": "progress", "of": size, "read": part.head.size});
                self.ledger.say(line)?;
            }
            if stop.load(Ordering::Relaxed) || (part.head.size < size && Instant::now() >= until) {
                let why = format!("{} of {size} entries are read; the next round goes on", part.head.size);
                found.troubles.push((watched.origin.clone(), why));
                return Ok(());
            }
        }
        self.verdict_files(watched, found)
    }

    /// A line for each release that is new.
    fn releases(&self, watched: &Watched, log: &LogState, before: usize) -> Result<()> {
        for release in log.releases.iter().skip(before) {
            self.ledger.say(json!({
                "about": watched.origin, "event": "release", "fingerprint": release.fingerprint.to_string(),
                "index": release.index, "name": printable(&release.name), "seq": release.seq,
                "version": printable(&release.version),
                "what": printable(&format!("{} {}", release.name, release.version)),
            }))?;
        }
        Ok(())
    }

    /// Verdicts that were given as files.
    fn verdict_files(&mut self, watched: &Watched, found: &mut Found) -> Result<()> {
        let Some(path) = &watched.rebuild_verdicts else { return Ok(()) };
        let mut log = self.ledger.state().logs.get(&watched.origin).cloned().unwrap_or_default();
        let (at, mut none) = (now()?.as_secs(), |_| None);
        for file in files_of(path)? {
            let read = || -> Result<(Envelope, Entry)> {
                let envelope = Envelope::from_json(&files::read(&file, ENVELOPE_LIMIT)?)?;
                let entry = Entry::of(&envelope)?;
                Ok((envelope, entry))
            };
            let (envelope, said) = match read() {
                Ok((envelope, Entry::RebuildVerdict(said))) => (envelope, said),
                Ok((_, other)) => {
                    found.troubles.push((file.display().to_string(), format!("it is a {}", other.kind())));
                    continue;
                }
                Err(error) => {
                    found.troubles.push((file.display().to_string(), error.what));
                    continue;
                }
            };
            let rules = Rules { watched, now: at, earlier: &mut none };
            if let Some((which, what)) = rules.verdict(&mut log, None, &envelope, &said.predicate) {
                let (about, envelope) = (watched.origin.clone(), envelope.to_json()?);
                let proving = Proving::Shown(Shown::Statement { envelope });
                found.findings.push(Finding { kind: Kind::RebuildDiffers, about, which, what, proving });
            }
        }
        Ok(())
    }
}

fn judge(
    watched: &Watched,
    snapshot: &Snapshot,
    log: &mut LogState,
    entries: &[(u64, Vec<u8>)],
    before: &mut BTreeMap<u64, Release>,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let at = now()?.as_secs();
    for (index, bytes) in entries {
        let mut earlier = |index| {
            let kept = before.get(&index).cloned();
            kept.or_else(|| release(&snapshot.entry(&watched.place, index).ok()?.0))
        };
        findings.extend(Rules { watched, now: at, earlier: &mut earlier }.judge(log, *index, bytes));
        if log.releases.last().is_some_and(|release| release.index == *index) {
            before.extend(release(bytes).map(|release| (*index, release)));
            while before.len() > KEPT {
                before.pop_first();
            }
        }
    }
    Ok(())
}

fn release(bytes: &[u8]) -> Option<Release> {
    match Entry::read(bytes) {
        Ok((_, Entry::Release(statement))) => Some(statement.predicate),
        _ => None,
    }
}

/// Entries with their proofs; if they cannot be had now, the checkpoint that promises them.
pub(super) fn shown_entries(watched: &Watched, snapshot: Option<&Snapshot>, entries: &[u64]) -> Shown {
    let Some(snapshot) = snapshot else { return Shown::Words };
    let proven = |index: &u64| -> Result<Proven> {
        let (entry, path) = snapshot.entry(&watched.place, *index)?;
        Ok(Proven { entry, proof: tlog_proof::to_text(None, *index, &path, &snapshot.note) })
    };
    let proven = entries.iter().map(proven).collect::<std::result::Result<Vec<_>, Error>>();
    proven.map_or_else(|_| Shown::Checkpoints(vec![snapshot.note.clone()]), Shown::Entries)
}

/// So that nothing unread is taken for read.
pub(super) fn is_read(log: &LogState) -> bool {
    known(Some(log)).is_some_and(|snapshot| log.read.size == snapshot.checkpoint.size)
}
