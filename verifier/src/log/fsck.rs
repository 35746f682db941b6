//! Reads a whole log and hashes everything anew: every entry, every tile, every file that lies there.
//!
//! Proves that the files are those of the checkpoint. Does **not** prove that others were shown the same: compare the checkpoint
//! with what witnesses and monitors know.

use super::{Config, Folder, Place, Snapshot};
use crate::files;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use vitrine_attest::merkle::leaf;
use vitrine_attest::note::{Checkpoint, Note, NOTE_LIMIT};
use vitrine_attest::tile::{added, entries, to_bytes, Edge, Resource, Tile, BUNDLE_LIMIT};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// Findings that are told one by one; more are counted.
const TOLD: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Path under the log's folder.
    pub file: String,
    pub what: String,
}

/// What was read, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub origin: String,
    pub entries: u64,
    pub root: Sha256,
    pub files: usize,
    /// A change was promised that is not published: the next writer will finish it.
    pub unfinished: bool,
    /// At most a hundred.
    pub findings: Vec<Finding>,
    pub found: usize,
}

/// Checks the log in this folder, or a copy of its public part. `keys`: whose log it has to be; its own, when none are given.
///
/// # Errors
/// When it cannot be read at all. What is wrong with its files is a finding.
pub fn fsck(path: &Path, keys: &[NoteKey], progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Findings> {
    let folder = Folder::new(path);
    let whole = folder.public().is_dir();
    let public = if whole { folder.public() } else { path.to_owned() };
    let keys = match (keys, whole) {
        ([], true) => Config::read(&folder)?.public()?,
        ([], false) => {
            return Err(Error::input("nobody said whose log this is", "give the log's key with --key"));
        }
        (keys, _) => keys.to_vec(),
    };
    let snapshot = Snapshot::read(&Place::Folder(public.clone()), &keys)?;
    let Checkpoint { origin, size, root } = snapshot.checkpoint.clone();
    let check = Check { public: &public, size, findings: Mutex::default() };
    let promised = if whole { check.promise(&folder, &keys, &snapshot.checkpoint) } else { size };
    let edge = check.entries(progress);
    if edge.root() != root {
        check.find("checkpoint", format!("the entries lead to another root: {}", edge.root()));
    }
    for tile in added(0, size).filter(|tile| tile.level > 0) {
        check.upper(tile);
    }
    let files = check.others(promised)?;
    let unfinished = promised > size;
    let mut findings = check.findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = findings.len();
    findings.sort_by(|a: &Finding, b| a.file.cmp(&b.file));
    findings.truncate(TOLD);
    Ok(Findings { origin, entries: size, root, files, unfinished, findings, found })
}

struct Check<'c> {
    public: &'c Path,
    size: u64,
    findings: Mutex<Vec<Finding>>,
}

impl Check<'_> {
    fn find(&self, file: impl ToString, what: impl ToString) {
        let finding = Finding { file: file.to_string(), what: what.to_string() };
        self.findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(finding);
    }

    /// Hashes all entries, on all processors, and compares with the tiles of level 0.
    fn entries(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Edge {
        let bundles = self.size.div_ceil(256);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
        let next = AtomicU64::new(0);
        let done: Mutex<Vec<(u64, Vec<Sha256>)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| loop {
                    // some at a time, so that the lock is not what all wait for
                    let first = next.fetch_add(16, Ordering::Relaxed);
                    if first >= bundles {
                        break;
                    }
                    let mine: Vec<_> =
                        (first..bundles.min(first + 16)).filter_map(|at| Some((at, self.bundle(at)?))).collect();
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(mine);
                    progress(first.min(bundles), bundles);
                });
            }
        });
        let mut leaves = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        leaves.sort_by_key(|(at, _)| *at);
        let mut edge = Edge::default();
        leaves.iter().flat_map(|(_, leaves)| leaves).for_each(|leaf| edge.push(*leaf, |_, _| {}));
        edge
    }

    /// The hashes of one bundle's entries. None: it cannot be read.
    fn bundle(&self, at: u64) -> Option<Vec<Sha256>> {
        let tile = Tile::of_tree(0, at, self.size)?;
        let resource = Resource::Entries(tile);
        let bytes = self.read(resource)?;
        match entries(&bytes, tile.width) {
            Ok(entries) => {
                let leaves: Vec<Sha256> = entries.into_iter().map(leaf).collect();
                let hashes = Resource::Hashes(tile);
                if self.read(hashes)? != to_bytes(&leaves) {
                    self.find(hashes, "these are not the hashes of its entries");
                }
                Some(leaves)
            }
            Err(why) => {
                self.find(resource, why);
                None
            }
        }
    }

    fn read(&self, resource: Resource) -> Option<Vec<u8>> {
        match files::read(&self.public.join(resource.path()), BUNDLE_LIMIT) {
            Ok(bytes) => Some(bytes),
            Err(_) => {
                self.find(resource, "it is missing, too long, or cannot be read");
                None
            }
        }
    }

    /// A tile of an upper level against the full tiles below it.
    fn upper(&self, tile: Tile) {
        let below = |index| {
            let full = Tile { level: tile.level - 1, index, width: 256 };
            let bytes = self.read(Resource::Hashes(full))?;
            let mut edge = Edge::default();
            vitrine_attest::tile::hashes(full, &bytes).ok()?.iter().for_each(|hash| edge.push(*hash, |_, _| {}));
            Some(edge.root())
        };
        let first = tile.index * 256;
        let expected: Option<Vec<Sha256>> = (first..first + u64::from(tile.width)).map(below).collect();
        let found = self.read(Resource::Hashes(tile));
        if let (Some(expected), Some(found)) = (expected, found) {
            if to_bytes(&expected) != found {
                self.find(Resource::Hashes(tile), "these are not the hashes of the tiles below it");
            }
        }
    }

    /// Every other file has to be a part of one of these, as earlier checkpoints had it, or of a change that was promised and is
    /// not published yet. Gives the number of all.
    fn others(&self, promised: u64) -> Result<usize> {
        let needed: BTreeSet<String> = added(0, self.size)
            .chain(added(self.size, promised))
            .flat_map(|tile| {
                let entries = (tile.level == 0).then(|| Resource::Entries(tile).path());
                entries.into_iter().chain([Resource::Hashes(tile).path()])
            })
            .chain(["checkpoint".into()])
            .collect();
        let mut files = vec![];
        walk(self.public, "", &mut files)?;
        for file in files.iter().filter(|file| !needed.contains(*file)) {
            if let Err(why) = self.earlier(file) {
                self.find(file, why);
            }
        }
        Ok(files.len())
    }

    fn earlier(&self, file: &str) -> std::result::Result<(), &'static str> {
        let stranger = "it is no file of a log";
        let resource = Resource::parse(file).ok_or(stranger)?;
        let (Resource::Hashes(tile) | Resource::Entries(tile)) = resource;
        let now = Tile::of_tree(tile.level, tile.index, self.size).filter(|now| now.width > tile.width);
        let now = now.ok_or("it goes beyond the checkpoint")?;
        let whole = match resource {
            Resource::Hashes(_) => Resource::Hashes(now),
            Resource::Entries(_) => Resource::Entries(now),
        };
        let (part, whole) = (self.read(resource), self.read(whole));
        let (part, whole) = part.zip(whole).ok_or("it cannot be compared")?;
        let expected = match resource {
            Resource::Hashes(_) => whole.get(..usize::from(tile.width) * 32),
            Resource::Entries(_) => entries(&whole, now.width).ok().and_then(|entries| {
                whole.get(..entries.iter().take(usize::from(tile.width)).map(|entry| entry.len() + 2).sum())
            }),
        };
        if expected == Some(&part) {
            Ok(())
        } else {
            Err("it is not the beginning of what the log has now")
        }
    }

    /// How many entries the log promised, which has to be what it published, or more.
    fn promise(&self, folder: &Folder, keys: &[NoteKey], published: &Checkpoint) -> u64 {
        let read = || -> std::result::Result<u64, String> {
            let bytes = files::read(&folder.commit(), NOTE_LIMIT).map_err(|e| e.what)?;
            let note = Note::parse(&bytes)?;
            let promised = Checkpoint::parse(note.text())?;
            if note.signers(keys)?.is_empty() || promised.origin != published.origin {
                return Err("it is not signed by the log".into());
            }
            if promised.size < self.size {
                return Err(format!("{} entries were promised, and {} are published", promised.size, self.size));
            }
            if promised.size == self.size && promised.root != published.root {
                return Err("another root was promised than is published".into());
            }
            Ok(promised.size)
        };
        read().unwrap_or_else(|why| {
            self.find("commit", why);
            self.size
        })
    }
}

/// Paths of all files under a folder.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<()> {
    let failed = |e: std::io::Error| Error::host(format!("{}: {e}", folder.display()), "check the folder's rights");
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}
