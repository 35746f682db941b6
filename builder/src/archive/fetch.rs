//! Files by hash from several mirrors into the store: parallel, resumed, and only what has its hash counts.

use super::download::{Client, Outcome, Part};
use super::mirror::Mirrors;
use super::story::{gather, Story, GONE};
use crate::lock::{LockedPackage, PACKAGE_LIMIT};
use crate::progress::{Bar, Progress};
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use vitrine_attest::{Error, Result, Sha256};

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
                    story.altered(url, found.to_string());
                }
                Outcome::OtherSize(size) => {
                    self.progress.note(&format!("{url} has other bytes for {}", file.label));
                    story.altered(url, format!("{size} bytes instead of {}", file.size));
                }
                Outcome::Gone => story.gone(url, file, self.progress),
                Outcome::Failed(why) => {
                    if part.have > before {
                        continue;
                    }
                    self.bury(url, &why);
                    story.failed(url, why);
                }
            }
            return Ok(false);
        }
        story.failed(url, "stops again and again".into());
        Ok(false)
    }

    fn urls(&self, archive: &str) -> Vec<String> {
        let dead = self.dead.lock().map(|dead| dead.clone()).unwrap_or_default();
        let mut urls: Vec<String> = self.mirrors.of_archive(archive).map(str::to_string).collect();
        urls.sort_by_key(|url| dead.contains(url)); // stable: the order stays otherwise
        urls
    }

    fn bury(&self, url: &str, why: &str) {
        if let Ok(mut dead) = self.dead.lock() {
            if !dead.iter().any(|known| known == url) {
                self.progress.note(&format!("{url} {why}; it is tried last from now on"));
                dead.push(url.to_string());
            }
        }
    }
}
