//! Brings the index up to the newest published entry.

use super::{list_of, name, path, records_of, Index, NOTE};
use crate::files;
use crate::log::bundles;
use crate::log::config::Config;
use crate::log::disk::{failed, Disk};
use crate::log::{Folder, Place};
use ed25519_dalek::SigningKey;
use std::collections::{BTreeMap, BTreeSet};
use vitrine_attest::log_index::{bits, bucket_of, sort, Head, List, Record, BUCKET_LIMIT};
use vitrine_attest::note::NOTE_LIMIT;
use vitrine_attest::tile::Tile;
use vitrine_attest::{Error, Result, Sha256};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// Entries in it.
    pub size: u64,
    pub records: u64,
    /// Files that were written.
    pub written: usize,
}

/// A log whose lock is held, and whose first `size` entries are published.
pub(crate) struct Update<'l> {
    pub folder: &'l Folder,
    pub config: &'l Config,
    pub secrets: &'l [SigningKey],
    pub size: u64,
    pub root: Sha256,
}

/// Files of the new index, as they are put into the folder.
struct Files<'l> {
    folder: &'l Folder,
    disk: Disk<'l>,
    needed: BTreeSet<Sha256>,
    written: usize,
}

impl Update<'_> {
    /// `anew`: from the entries alone, and every file is read and mended; else what is there is grown.
    ///
    /// # Errors
    /// When the disk fails. Then the index is as it was, and no file of the log is touched.
    pub fn run(&self, anew: bool) -> Result<Indexed> {
        let (place, keys) = (Place::Folder(self.folder.public()), self.config.public()?);
        let before = Index::read(&place, &self.config.origin, &keys).ok().flatten();
        let before = before.filter(|before| self.is_ours(&place, before));
        let mut files = Files::new(self.folder)?;
        // an index that is damaged is no ground to stop: it is made again
        let grown = before.as_ref().filter(|_| !anew).and_then(|before| self.grow(&place, before, &mut files).ok()?);
        let list = match grown {
            Some(list) => list,
            None => {
                files.needed.clear();
                let mut records = self.records(&place, 0)?;
                sort(&mut records);
                list_of(self.size, &records, |bytes| files.put(&bytes))?
            }
        };
        let head = Head {
            origin: self.config.origin.clone(),
            size: self.size,
            root: self.root,
            list: files.put(&list.to_bytes())?,
        };
        files.publish(self.config.note(self.secrets, &head.to_text())?.as_bytes())?;
        files.sweep(before.as_ref())?;
        Ok(Indexed { size: self.size, records: list.records, written: files.written })
    }

    /// Whether it is about the beginning of this tree.
    fn is_ours(&self, place: &Place, before: &Index) -> bool {
        let size = before.head.size;
        size <= self.size && place.tree(self.size).root(size).is_ok_and(|root| root == before.head.root)
    }

    /// Adds the entries since. None: there are so many that the buckets are others.
    fn grow(&self, place: &Place, before: &Index, files: &mut Files<'_>) -> Result<Option<List>> {
        let mut list = before.list.clone();
        let new = self.records(place, list.size)?;
        let count = list.records + new.len() as u64;
        if bits(count) != list.bits() {
            return Ok(None);
        }
        let mut changed: BTreeMap<u16, Vec<Record>> = BTreeMap::new();
        for record in new {
            changed.entry(bucket_of(&record.key, list.bits())).or_default().push(record);
        }
        for (number, new) in changed {
            let mut bucket = before.bucket(place, number)?;
            bucket.records.extend(new);
            bucket.records.sort_unstable();
            list.buckets[usize::from(number)] = files.put(&bucket.to_bytes())?;
        }
        files.needed.extend(&list.buckets);
        (list.size, list.records) = (self.size, count);
        Ok(Some(list))
    }

    /// The records of the entries from this one on.
    fn records(&self, place: &Place, from: u64) -> Result<Vec<Record>> {
        let records = bundles::try_each(from / 256..self.size.div_ceil(256), |at| {
            let tile = Tile::of_tree(0, at, self.size).ok_or_else(|| Error::bug("no such tile"))?;
            let entries = place.entries(tile)?;
            let numbered = (at * 256..).zip(&entries).filter(|(index, _)| *index >= from);
            Ok(numbered.flat_map(|(index, entry)| records_of(index, entry)).collect::<Vec<_>>())
        });
        Ok(records?.into_iter().flatten().collect())
    }
}

impl<'l> Files<'l> {
    fn new(folder: &'l Folder) -> Result<Self> {
        let mut disk = Disk::new(folder);
        disk.make_folders(&folder.public().join("index"))?;
        Ok(Self { folder, disk, needed: BTreeSet::new(), written: 0 })
    }

    /// Gives the file's name. One that is there whole is left alone.
    fn put(&mut self, bytes: &[u8]) -> Result<Sha256> {
        let name = Sha256::of(bytes);
        let path = self.folder.public().join(path(&name));
        self.needed.insert(name);
        if files::read(&path, BUCKET_LIMIT).is_ok_and(|there| there == bytes) {
            // somebody may have ended before its name was on disk
            self.disk.touch(&path);
        } else {
            self.disk.replace(&path, bytes, 0o644)?;
            self.written += 1;
        }
        Ok(name)
    }

    /// From here on this is the index.
    fn publish(&mut self, note: &[u8]) -> Result<()> {
        self.disk.sync()?;
        let path = self.folder.public().join(NOTE);
        if files::read(&path, NOTE_LIMIT).is_ok_and(|there| there == note) {
            return Ok(());
        }
        self.disk.replace(&path, note, 0o644)?;
        self.written += 1;
        self.disk.sync()
    }

    /// Removes the files that belong neither to this index nor to the one before it, which somebody may be reading.
    fn sweep(&self, before: Option<&Index>) -> Result<()> {
        let mut keep = self.needed.clone();
        if let Some(before) = before {
            keep.extend(before.list.buckets.iter().chain([&before.head.list]));
        }
        let folder = self.folder.public().join("index");
        for entry in std::fs::read_dir(&folder).map_err(|e| failed(&folder, &e))? {
            let entry = entry.map_err(|e| failed(&folder, &e))?;
            let found = name(&format!("index/{}", entry.file_name().to_string_lossy()));
            if found.is_some_and(|found| !keep.contains(&found)) {
                std::fs::remove_file(entry.path()).map_err(|e| failed(&entry.path(), &e))?;
            }
        }
        Ok(())
    }
}
