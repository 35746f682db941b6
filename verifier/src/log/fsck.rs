//! Reads a whole log and hashes everything anew: every entry, every tile, and of a folder every file that lies there.
//!
//! Over HTTP and in a bucket only what the checkpoint needs is read: nobody lists what else there is.
//!
//! Proves that the files are those of the checkpoint. Does **not** prove that others were shown the same: compare the checkpoint
//! with what witnesses and monitors know.

use super::index::{self, records_of};
use super::{bundles, Config, Folder, Place, Snapshot};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use vitrine_attest::log_index::{sort, Record};
use vitrine_attest::merkle::{leaf, root, root_of_nothing};
use vitrine_attest::note::{Checkpoint, Note, NOTE_LIMIT};
use vitrine_attest::tile::{added, entries, hashes, to_bytes, Resource, Tile, BUNDLE_LIMIT};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Blame, Error, Result, Sha256};

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
    /// Files that lie there; of a log that is no folder, those that its checkpoint needs.
    pub files: usize,
    /// Entries in its index; none: it has no index that could be judged.
    pub indexed: Option<u64>,
    /// A change was promised that is not published: the next writer will finish it.
    pub unfinished: bool,
    /// At most a hundred.
    pub findings: Vec<Finding>,
    pub found: usize,
}

/// Checks the log of this folder, wherever it lies, or a copy of its public part, or what is at an address. `keys`: whose log it
/// has to be; its own, when none are given.
///
/// # Errors
/// When it cannot be read at all. What is wrong with its files is a finding.
pub fn fsck(log: &str, keys: &[NoteKey], progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Findings> {
    let (folder, place) = (Folder::new(Path::new(log)), Place::of(log)?);
    let whole = folder.config().exists() || folder.public().is_dir();
    let keys = match (keys, whole) {
        ([], true) => Config::read(&folder)?.public()?,
        ([], false) => {
            return Err(Error::input("nobody said whose log this is", "give the log's key with --key"));
        }
        (keys, _) => keys.to_vec(),
    };
    let snapshot = Snapshot::read(&place, &keys)?;
    let Checkpoint { origin, size, root: signed } = snapshot.checkpoint.clone();
    let check = Check { place: &place, size, findings: Mutex::default(), failure: Mutex::default() };
    let promised = if whole { check.promise(&folder, &keys, &snapshot.checkpoint) } else { size };
    let files = check.files()?;
    let (bundles, records) = check.entries(files.iter().any(|file| of_index(file)), progress);
    let led_to = root_of(&bundles);
    match led_to {
        Some(other) if other != signed => {
            check.find("checkpoint", format!("the entries lead to another root: {other}"))
        }
        None => check.find("checkpoint", "not all entries can be read"),
        Some(_) => {}
    }
    check.upper(bundles.into_iter().map(|bundle| bundle.hashed).collect());
    check.others(&files, promised);
    let index = index::Check { place: &place, keys: &keys, snapshot: &snapshot, records: &records };
    let find = |file: &str, what: String| check.find(file, what);
    // of other entries it would be another one
    let indexed = (led_to == Some(signed)).then(|| index.run(&files, &find)).flatten();
    let unfinished = promised > size;
    if let Some(error) = check.failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let mut findings = check.findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = findings.len();
    findings.sort_by(|a: &Finding, b| a.file.cmp(&b.file));
    findings.truncate(TOLD);
    Ok(Findings { origin, entries: size, root: signed, files: files.len(), indexed, unfinished, findings, found })
}

/// The roots of one bundle: of the entries as they are, and of the hashes that stand in the tile beside it. None: unreadable.
struct Bundle {
    entries: Option<Sha256>,
    hashed: Option<Sha256>,
}

/// The root over these bundles: each but the last is a full tree of 256, as the tree is cut (RFC 9162, §2.1.1).
fn root_of(bundles: &[Bundle]) -> Option<Sha256> {
    let roots: Vec<Sha256> = bundles.iter().map(|bundle| bundle.entries).collect::<Option<_>>()?;
    Some(root(&roots).unwrap_or_else(root_of_nothing))
}

struct Check<'c> {
    place: &'c Place,
    size: u64,
    findings: Mutex<Vec<Finding>>,
    /// That something could not be judged, for who has it does not answer.
    failure: Mutex<Option<Error>>,
}

impl Check<'_> {
    fn find(&self, file: impl ToString, what: impl ToString) {
        let finding = Finding { file: file.to_string(), what: what.to_string() };
        self.findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(finding);
    }

    /// Hashes all entries, on all processors, and compares with the tiles of level 0. Gives what the index has to say of them, sorted,
    /// when there is one.
    fn entries(&self, indexed: bool, progress: &(dyn Fn(u64, u64) + Sync)) -> (Vec<Bundle>, Vec<Record>) {
        let (bundles, done) = (self.size.div_ceil(256), AtomicU64::new(0));
        let read = bundles::each(0..bundles, |at| {
            let read = self.bundle(Tile::of_tree(0, at, self.size)?, indexed);
            progress(done.fetch_add(1, Ordering::Relaxed), bundles);
            Some(read)
        });
        let (read, records): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let mut records = records.concat();
        sort(&mut records);
        (read, records)
    }

    /// One bundle of entries, and their records.
    fn bundle(&self, tile: Tile, indexed: bool) -> (Bundle, Vec<Record>) {
        let (of_entries, of_hashes) = (Resource::Entries(tile), Resource::Hashes(tile));
        let found = self.read(of_hashes);
        let hashed = found.as_deref().and_then(|bytes| root(&hashes(tile, bytes).ok()?));
        let Some(bytes) = self.read(of_entries) else { return (Bundle { entries: None, hashed }, vec![]) };
        let entries = match entries(&bytes, tile.width) {
            Ok(entries) => entries,
            Err(why) => {
                self.find(of_entries, why);
                return (Bundle { entries: None, hashed }, vec![]);
            }
        };
        let leaves: Vec<Sha256> = entries.iter().map(|entry| leaf(entry)).collect();
        let same = found.is_none_or(|found| found == to_bytes(&leaves));
        if !same {
            self.find(of_hashes, "these are not the hashes of its entries");
        }
        // the same hashes have the same root
        let root = if same && hashed.is_some() { hashed } else { root(&leaves) };
        let numbered = (tile.index * 256..).zip(entries).filter(|_| indexed);
        let records = numbered.flat_map(|(index, entry)| records_of(index, entry)).collect();
        (Bundle { entries: root, hashed }, records)
    }

    /// The tiles of each upper level against the full ones below it, of which these are the roots.
    fn upper(&self, mut below: Vec<Option<Sha256>>) {
        let mut size = self.size / 256;
        for level in 1u8.. {
            if size == 0 {
                break;
            }
            below.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            let mut above = vec![];
            for (index, row) in (0..).zip(below.chunks(256)) {
                let tile = Tile { level, index, width: row.len() as u16 };
                let found = self.read(Resource::Hashes(tile));
                let expected: Option<Vec<Sha256>> = row.iter().copied().collect();
                if expected.zip(found.as_ref()).is_some_and(|(expected, found)| to_bytes(&expected) != *found) {
                    self.find(Resource::Hashes(tile), "these are not the hashes of the tiles below it");
                }
                above.push(found.and_then(|bytes| root(&hashes(tile, &bytes).ok()?)));
            }
            (below, size) = (above, size / 256);
        }
    }

    fn read(&self, resource: Resource) -> Option<Vec<u8>> {
        match self.place.get(&resource.path(), BUNDLE_LIMIT) {
            Ok(Some(bytes)) => Some(bytes),
            Err(error) if error.blame == Blame::Host => {
                *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                None
            }
            Ok(None) | Err(_) => {
                self.find(resource, "it is missing, too long, or cannot be read");
                None
            }
        }
    }

    /// Paths of all files that can be known of.
    fn files(&self) -> Result<Vec<String>> {
        if let Place::Folder(public) = self.place {
            let mut files = vec![];
            walk(public, "", &mut files)?;
            return Ok(files);
        }
        let index = self.place.get(index::NOTE, NOTE_LIMIT)?.map(|_| index::NOTE.to_owned());
        Ok(needed(0, self.size).chain(["checkpoint".into()]).chain(index).collect())
    }

    /// Every other file has to be a part of one of these, as earlier checkpoints had it, or of a change that was promised and is
    /// not published yet. The index is judged by itself.
    fn others(&self, files: &[String], promised: u64) {
        let needed: BTreeSet<String> =
            needed(0, self.size).chain(needed(self.size, promised)).chain(["checkpoint".into()]).collect();
        for file in files.iter().filter(|file| !needed.contains(*file) && !of_index(file)) {
            if let Err(why) = self.earlier(file) {
                self.find(file, why);
            }
        }
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
            let note = Note::parse(&self.place.promise(folder).map_err(|e| e.what)?)?;
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

/// Whether this is the path of a file of an index.
fn of_index(file: &str) -> bool {
    file == index::NOTE || index::name(file).is_some()
}

/// Paths of the tiles that a tree of `new` entries has, and one of `old` did not have in this width.
fn needed(old: u64, new: u64) -> impl Iterator<Item = String> {
    added(old, new).flat_map(|tile| {
        let entries = (tile.level == 0).then(|| Resource::Entries(tile).path());
        entries.into_iter().chain([Resource::Hashes(tile).path()])
    })
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
