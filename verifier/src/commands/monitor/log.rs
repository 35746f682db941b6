//! One look at one log: its checkpoint, beside all that is known of it elsewhere.

use super::entries::shown_entries;
use super::Round;
use crate::clock::now;
use crate::log::{Place, Snapshot};
use crate::monitor::{compare, Compared, Finding, Kind, LogState, Proving, Shown, Watched};
use crate::witness::{known_sizes, Failure, WitnessAt};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::{Blame, Error, Result};

/// For all witnesses of a log together.
const WITNESSES: Duration = Duration::from_secs(15);
/// How often, and after how long, a log is asked again that somebody says is further on: it may just have grown.
const AGAIN: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Cosignatures from later than this many seconds from now say nothing of how old they are.
const CLOCKS: u64 = 3600;

/// What a look has found, and what was looked at.
#[derive(Default)]
pub(super) struct Found {
    pub findings: Vec<Finding>,
    pub judged: Vec<Kind>,
    /// Could not be looked at.
    pub troubles: Vec<(String, String)>,
}

impl Found {
    fn add(&mut self, watched: &Watched, kind: Kind, which: &str, what: String, shown: Shown) {
        let (about, which) = (watched.origin.clone(), which.to_owned());
        self.findings.push(Finding { kind, about, which, what, proving: Proving::Shown(shown) });
    }

    /// Damage is the log's; anything else says nothing of it.
    pub(super) fn failed(&mut self, watched: &Watched, whence: &str, error: &Error) {
        match error.blame {
            Blame::Artefact => {
                self.add(watched, Kind::LogDamaged, whence, format!("{whence}: {}", error.what), Shown::Words);
            }
            _ => self.troubles.push((format!("{} at {whence}", watched.origin), error.what.clone())),
        }
    }
}

impl Round<'_> {
    pub(super) fn log(&mut self, n: usize, stop: &AtomicBool) -> Result<()> {
        let watched = self.watched[n].clone();
        let until = Instant::now() + watched.time.duration();
        let mut log = self.ledger.state().logs.get(&watched.origin).cloned().unwrap_or_default();
        let mut found = Found::default();
        let asked = self.checkpoints(&watched, &mut log, &mut found)?;
        self.ledger.state_mut().logs.insert(watched.origin.clone(), log);
        // said before a million entries are read; they stay in what is found, so that none is taken for mended
        self.settle(&watched, Found { findings: found.findings.clone(), ..Found::default() })?;
        if asked {
            self.entries(&watched, &mut found, until, stop)?;
        }
        self.settle(&watched, found)
    }

    /// Gives findings to the ledger, with what shows them.
    pub(super) fn settle(&mut self, watched: &Watched, found: Found) -> Result<()> {
        let snapshot = known(self.ledger.state().logs.get(&watched.origin));
        let (mut with, mut fetched) = (vec![], BTreeMap::<Kind, usize>::new());
        for finding in found.findings {
            let room = self.ledger.room(finding.kind, &watched.origin);
            let shown = match &finding.proving {
                Proving::Shown(shown) => shown.clone(),
                // it will not be kept, so it is not worth fetching
                _ if !self.ledger.is_new(&finding) || fetched.get(&finding.kind).is_some_and(|n| *n >= room) => {
                    Shown::Words
                }
                Proving::Entries(entries) => {
                    *fetched.entry(finding.kind).or_default() += 1;
                    shown_entries(watched, snapshot.as_ref(), entries)
                }
            };
            with.push((finding, shown));
        }
        for (about, why) in &found.troubles {
            self.trouble(about, why)?;
        }
        self.ledger.take(&watched.origin, with, &found.judged)
    }

    /// Whether there is a checkpoint to read by.
    fn checkpoints(&self, watched: &Watched, log: &mut LogState, found: &mut Found) -> Result<bool> {
        let (keys, at) = (watched.keys(), now()?.as_secs());
        let before = known(Some(log));
        let shown = match Snapshot::read(&watched.place, &keys) {
            Ok(shown) => shown,
            Err(error) => {
                found.failed(watched, "the log", &error);
                self.mirrors(watched, before.as_ref(), at, found);
                freshness(watched, before.as_ref(), log, at, found);
                return Ok(false);
            }
        };
        found.judged.push(Kind::LogDamaged);
        let adopted = match &before {
            None => Some(shown.clone()),
            Some(before) => self.beside(watched, before, &shown, found),
        };
        if let Some(adopted) = &adopted {
            log.note.clone_from(&adopted.note);
            log.looked = at;
        }
        let newest = known(Some(log));
        self.mirrors(watched, newest.as_ref(), at, found);
        // what clients are given now, not the fresher one that we may have been given before
        let given = if adopted.is_some() { Some(&shown) } else { newest.as_ref() };
        freshness(watched, given, log, at, found);
        self.ask_witnesses(watched, newest.as_ref(), found);
        Ok(adopted.is_some())
    }

    /// What is shown now, beside what was known: what counts from now on, if it does.
    fn beside(&self, watched: &Watched, before: &Snapshot, shown: &Snapshot, found: &mut Found) -> Option<Snapshot> {
        let (was, is) = (before.checkpoint.size, shown.checkpoint.size);
        let notes = || Shown::Checkpoints(vec![before.note.clone(), shown.note.clone()]);
        match anywhere(watched, before, shown) {
            Ok(Compared::Same) => Some(fresher(watched, before, shown)),
            Ok(Compared::Grown) => Some(shown.clone()),
            Ok(Compared::Fork(fork)) => {
                let what = format!("it has signed a tree of {was} entries and another one of {is} that does not agree");
                found.add(watched, Kind::SplitView, &shown.checkpoint.root.to_string(), what, *fork);
                None
            }
            Ok(Compared::Older) => {
                let what = format!("it shows {is} entries, and has shown {was} before");
                found.add(watched, Kind::Rollback, &format!("{was} {is}"), what, notes());
                None
            }
            Err(_) if is < was => {
                let what = format!(
                    "it shows {is} entries, and has shown {was} before; whether they agree it does not let us see"
                );
                found.add(watched, Kind::Rollback, &format!("{was} {is}"), what, notes());
                None
            }
            Err(error) => {
                found.failed(watched, "the log", &error);
                None
            }
        }
    }

    /// The same log as others are shown it.
    fn mirrors(&self, watched: &Watched, newest: Option<&Snapshot>, at: u64, found: &mut Found) {
        let Some(newest) = newest else { return };
        for (name, place) in &watched.mirrors {
            let shown = match Snapshot::read(place, &watched.keys()) {
                Ok(shown) => shown,
                Err(error) => {
                    found.failed(watched, name, &error);
                    continue;
                }
            };
            let (ours, theirs) = (newest.checkpoint.size, shown.checkpoint.size);
            let notes = || Shown::Checkpoints(vec![newest.note.clone(), shown.note.clone()]);
            match anywhere(watched, newest, &shown) {
                Ok(Compared::Fork(fork)) => {
                    let what =
                        format!("{name} is shown a tree of {theirs} entries that does not agree with ours of {ours}");
                    found.add(watched, Kind::SplitView, &shown.checkpoint.root.to_string(), what, *fork);
                }
                Ok(Compared::Grown) if !self.catches_up(watched, theirs) => {
                    let what = format!("{name} is shown {theirs} entries, and we are held at {ours}");
                    found.add(watched, Kind::Freeze, name, what, notes());
                }
                Ok(Compared::Older | Compared::Same) => {
                    if let Some(age) = too_old(watched, &shown, at) {
                        let what = format!("{name} is held at {theirs} entries, whose cosignatures are {age}");
                        found.add(watched, Kind::Freeze, name, what, notes());
                    }
                }
                Ok(Compared::Grown) => {}
                Err(error) => found.failed(watched, name, &error),
            }
        }
    }

    /// Whether the log itself shows this many entries, now or in a moment.
    fn catches_up(&self, watched: &Watched, size: u64) -> bool {
        (0..AGAIN).any(|_| {
            std::thread::sleep(PAUSE);
            Snapshot::read(&watched.place, &watched.keys()).is_ok_and(|shown| shown.checkpoint.size >= size)
        })
    }

    /// Asks all witnesses that are known to cosign what we were shown, more of them than clients ask for.
    fn ask_witnesses(&self, watched: &Watched, newest: Option<&Snapshot>, found: &mut Found) {
        let Some(newest) = newest else { return };
        let at = |witness: &vitrine_attest::tlog_policy::WitnessEntry| {
            Some(WitnessAt { key: witness.key.clone(), url: witness.url.clone()?, old: 0 })
        };
        let witnesses: Vec<WitnessAt> = watched.witnesses.iter().filter_map(at).collect();
        let size = newest.checkpoint.size;
        if witnesses.is_empty() || size == 0 {
            return;
        }
        let shown = || Shown::Checkpoints(vec![newest.note.clone()]);
        let mut all = true;
        for known in known_sizes(&self.agent, &witnesses, &newest.note, WITNESSES) {
            let name = &known.name;
            let what = match known.result {
                Err(Failure::Conflict) => format!("{name} knows another tree of {size} entries than we are shown"),
                Ok(theirs) | Err(Failure::Ahead { size: theirs }) if theirs > size => {
                    if self.catches_up(watched, theirs) {
                        continue;
                    }
                    format!("{name} knows {theirs} entries, and we are shown {size}")
                }
                Ok(_) => continue,
                Err(failure) => {
                    all = false;
                    found.troubles.push((format!("{} asked about {}", name, watched.origin), format!("{failure:?}")));
                    continue;
                }
            };
            found.add(watched, Kind::WitnessDisagrees, name, what, shown());
        }
        found.judged.extend(all.then_some(Kind::WitnessDisagrees));
    }
}

/// What is remembered of a log, as it was signed. It was checked before it was written.
pub(super) fn known(log: Option<&LogState>) -> Option<Snapshot> {
    let note = Note::parse(log?.note.as_bytes()).ok()?;
    Some(Snapshot { checkpoint: Checkpoint::parse(note.text()).ok()?, note: log?.note.clone() })
}

/// By the tiles of the log, and if it does not give them by those of a mirror.
fn anywhere(watched: &Watched, before: &Snapshot, shown: &Snapshot) -> Result<Compared> {
    let mirrors = watched.mirrors.iter().map(|(_, place)| place);
    let places: Vec<&Place> = std::iter::once(&watched.place).chain(mirrors).collect();
    let mut first = None;
    for place in places {
        match compare(before, shown, place) {
            Ok(compared) => return Ok(compared),
            Err(error) => _ = first.get_or_insert(error),
        }
    }
    Err(first.unwrap_or_else(|| Error::bug("a log is nowhere")))
}

/// Of two checkpoints of one tree, the one with later cosignatures.
fn fresher(watched: &Watched, before: &Snapshot, shown: &Snapshot) -> Snapshot {
    let since = |snapshot: &Snapshot| {
        let note = Note::parse(snapshot.note.as_bytes()).ok()?;
        watched.policy.judge(&note, &snapshot.checkpoint).ok()?.since
    };
    if since(shown) >= since(before) {
        shown.clone()
    } else {
        before.clone()
    }
}

/// Whether a quorum has signed, and of late.
fn freshness(watched: &Watched, newest: Option<&Snapshot>, log: &mut LogState, at: u64, found: &mut Found) {
    let Some(newest) = newest else { return };
    let Ok(note) = Note::parse(newest.note.as_bytes()) else { return };
    found.judged.push(Kind::TooFewWitnesses);
    if found.troubles.is_empty() {
        // a mirror that cannot be asked may still be held back
        found.judged.push(Kind::Freeze);
    }
    let shown = || Shown::Checkpoints(vec![newest.note.clone()]);
    match watched.policy.judge(&note, &newest.checkpoint) {
        Ok(met) => {
            (log.since, log.witnesses) = (met.since, met.witnesses);
            if let Some(age) = too_old(watched, newest, at) {
                let what = format!("its {} entries carry cosignatures that are {age}", newest.checkpoint.size);
                found.add(watched, Kind::Freeze, "age", what, shown());
            }
        }
        Err(missing) => {
            (log.since, log.witnesses) = (None, vec![]);
            let what = format!("its checkpoint is not what the log policy demands: {missing}");
            found.add(watched, Kind::TooFewWitnesses, "policy", what, shown());
        }
    }
}

/// How old, in words, when that is too old.
fn too_old(watched: &Watched, snapshot: &Snapshot, at: u64) -> Option<String> {
    let most = watched.max_age?.as_seconds();
    let note = Note::parse(snapshot.note.as_bytes()).ok()?;
    let since = watched.policy.judge(&note, &snapshot.checkpoint).ok()?.since?;
    if since > at + CLOCKS {
        return Some(format!("from {} s in the future", since - at));
    }
    let age = at.saturating_sub(since);
    (age > most).then(|| format!("{age} s old, more than {most}"))
}
