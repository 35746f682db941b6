//! Files by hash from several mirrors into the store: parallel, resumed, and only what has its hash counts.

use super::download::{Client, Outcome, Part};
use super::mirror::Mirrors;
use crate::lock::{LockedPackage, PACKAGE_LIMIT};
use crate::progress::{Bar, Progress};
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use vitrine_attest::{Blame, Error, Result, Sha256};

/// In the message when no mirror has a locked file any more (exit code 2), so that scripts can tell.
pub const GONE: &str = "is gone from every mirror";
/// Downloads at the same time: enough to hide a round trip, few enough for a mirror to bear.
const THREADS: usize = 4;
/// Tries at one mirror while each brings bytes.
const TRIES: usize = 8;

/// A file that is known by its hash.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// `package libc6 2.41-12`
    pub label: String,
    pub archive: String,
    /// Paths below the archive's folder, tried in turn.
    pub paths: Vec<String>,
    pub size: u64,
    pub sha256: Sha256,
}

impl From<&LockedPackage> for Wanted {
    fn from(package: &LockedPackage) -> Self {
        Self {
            label: format!("package {}", package.label()),
            archive: package.archive.clone(),
            paths: vec![package.file.clone()],
            size: package.size,
            sha256: package.sha256,
        }
    }
}

/// Fetches what the store lacks; `what` is for the bar.
pub(super) fn fetch_all(
    what: &str,
    wanted: Vec<Wanted>,
    mirrors: &Mirrors,
    store: &Store,
    progress: &Progress,
) -> Result<()> {
    let mut missing: BTreeMap<Sha256, Wanted> = BTreeMap::new();
    for file in wanted {
        if file.size > PACKAGE_LIMIT {
            return Err(too_large(&file));
        }
        if store.path(&file.sha256).is_none() {
            missing.insert(file.sha256, file);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    // the largest first, so that the last thread to finish has little left
    let mut missing: Vec<Wanted> = missing.into_values().collect();
    missing.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.label.cmp(&b.label)));
    let bar = progress.bytes(what, missing.iter().map(|file| file.size).sum());
    let job = Job { mirrors, store, progress, bar: &bar, client: Client::new(), dead: Mutex::default() };
    let errors = job.run(&missing);
    bar.finish();
    gather(errors)
}

fn too_large(file: &Wanted) -> Error {
    Error::artefact(format!("{} has {} bytes, at most {PACKAGE_LIMIT} are read", file.label, file.size), "")
}

struct Job<'a> {
    mirrors: &'a Mirrors,
    store: &'a Store,
    progress: &'a Progress,
    bar: &'a Bar,
    client: Client,
    /// Mirrors that could not be reached: tried last from then on.
    dead: Mutex<Vec<String>>,
}

impl Job<'_> {
    /// Errors in the order of the files.
    fn run(&self, files: &[Wanted]) -> Vec<Error> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let errors = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..THREADS.min(files.len()) {
                scope.spawn(|| loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index).filter(|_| !stop.load(Ordering::Relaxed)) else { break };
                    if let Err(error) = self.fetch(file) {
                        // of files that are gone the whole list is wanted; anything else ends the job
                        stop.fetch_or(!error.what.contains(GONE), Ordering::Relaxed);
                        if let Ok(mut errors) = errors.lock() {
                            errors.insert(index, error);
                        }
                    }
                });
            }
        });
        errors.into_inner().unwrap_or_default().into_values().collect()
    }

    fn fetch(&self, file: &Wanted) -> Result<()> {
        let mut part = Part::open(self.store, &file.sha256, self.bar)?;
        let mut story = Story::default();
        for url in self.urls(&file.archive) {
            for path in &file.paths {
                if self.fetch_from(&url, path, file, &mut part, &mut story)? {
                    return Ok(());
                }
            }
        }
        if part.have == 0 {
            let _ = std::fs::remove_file(&part.path);
        }
        Err(story.error(file))
    }

    /// Whether the file is in the store now.
    fn fetch_from(&self, url: &str, path: &str, file: &Wanted, part: &mut Part, story: &mut Story) -> Result<bool> {
        for _ in 0..TRIES {
            let before = part.have;
            match self.client.resume(&format!("{url}/{path}"), part, file.size, self.bar)? {
                Outcome::Complete => {
                    let found = part.digest()?;
                    if found == file.sha256 {
                        part.sync()?;
                        self.store.import(&part.path, &file.sha256)?;
                        return Ok(true);
                    }
                    part.restart(self.bar)?;
                    if before > 0 {
                        continue; // the bytes from before may be another mirror's: once more from the start
                    }
                    self.progress.note(&format!("{url} has other bytes for {}", file.label));
                    story.altered = Some(found.to_string());
                }
                Outcome::OtherSize(size) => {
                    self.progress.note(&format!("{url} has other bytes for {}", file.label));
                    story.altered = Some(format!("{size} bytes instead of {}", file.size));
                }
                Outcome::Gone => story.gone += 1,
                Outcome::Failed(why) => {
                    if part.have > before {
                        continue;
                    }
                    self.bury(url);
                    story.failed.push(format!("{url} {why}"));
                }
            }
            return Ok(false);
        }
        story.failed.push(format!("{url} stops again and again"));
        Ok(false)
    }

    fn urls(&self, archive: &str) -> Vec<String> {
        let dead = self.dead.lock().map(|dead| dead.clone()).unwrap_or_default();
        let mut urls: Vec<String> = self.mirrors.of_archive(archive).map(str::to_string).collect();
        urls.sort_by_key(|url| dead.contains(url)); // stable: the order stays otherwise
        urls
    }

    fn bury(&self, url: &str) {
        if let Ok(mut dead) = self.dead.lock() {
            if !dead.iter().any(|known| known == url) {
                self.progress.note(&format!("{url} does not answer as it should and is tried last from now on"));
                dead.push(url.to_string());
            }
        }
    }
}

/// What the mirrors had to say about one file.
#[derive(Default)]
struct Story {
    gone: usize,
    /// What was got instead.
    altered: Option<String>,
    failed: Vec<String>,
}

impl Story {
    fn error(self, file: &Wanted) -> Error {
        if let Some(found) = self.altered {
            let what = format!("{} differs from its record: expected {}, got {found}", file.label, file.sha256);
            return Error::artefact(what, "name another mirror with --mirror URL; nothing of this was kept");
        }
        if !self.failed.is_empty() {
            let what = format!("{} cannot be fetched: {}", file.label, self.failed.join("; "));
            let hint = "check the network and the proxy, or name another mirror with --mirror URL; the same command \
                        goes on where this one stopped";
            return Error::host(what, hint);
        }
        if self.gone == 0 {
            let what = format!("{}: no mirror of the archive {} is known", file.label, file.archive);
            return Error::host(what, format!("name one with --mirror http://HOST/{}", file.archive));
        }
        Error::host(format!("{} {GONE}", file.label), gone_hint())
    }
}

fn gone_hint() -> &'static str {
    "mirrors drop old versions: name another mirror, or a dated one, with --mirror URL, or make a new lock with \
     `vitrine lock`"
}

/// One error for all: an altered file first, then what failed, then all that are gone.
fn gather(mut errors: Vec<Error>) -> Result<()> {
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
    let suffix = format!(" {GONE}");
    let labels: Vec<&str> = errors.iter().map(|error| error.what.trim_end_matches(suffix.as_str())).collect();
    Err(Error::host(format!("each of {gone} files {GONE}: {}", labels.join(", ")), gone_hint()))
}
