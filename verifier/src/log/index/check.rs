//! Compares an index with the entries, of which it has to be the very bytes that they give.

use super::{list_of, name, path, NOTE};
use crate::log::{Place, Snapshot};
use std::collections::BTreeMap;
use vitrine_attest::log_index::{bucket_of, Bucket, Head, List, Record, BUCKET_LIMIT};
use vitrine_attest::note::NOTE_LIMIT;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// A log whose entries were read and lead to its root.
pub struct Check<'c> {
    pub place: &'c Place,
    pub keys: &'c [NoteKey],
    pub snapshot: &'c Snapshot,
    /// Of all entries, sorted.
    pub records: &'c [Record],
}

impl Check<'_> {
    /// Looks at those of these files that belong to an index, and tells what is wrong with which. Gives how many entries it covers.
    pub fn run(&self, all: &[String], find: &dyn Fn(&str, String)) -> Option<u64> {
        let mut others: BTreeMap<Sha256, &String> = all.iter().filter_map(|file| Some((name(file)?, file))).collect();
        let head = all.iter().any(|file| file == NOTE).then(|| self.head());
        let size = match head {
            None => None,
            Some(Err(why)) => {
                find(NOTE, why);
                None
            }
            Some(Ok(head)) => {
                let mut is_there = |bytes: &[u8]| {
                    let name = Sha256::of(bytes);
                    others.remove(&name);
                    if !self.read(&name).is_ok_and(|there| there == bytes) {
                        find(&path(&name), "the index needs it, and it is missing, or not what its name says".into());
                    }
                    name
                };
                let list = list_of(head.size, &self.until(head.size), |bytes| Ok(is_there(&bytes)));
                match list.map(|list| list.to_bytes()) {
                    Ok(list) if Sha256::of(&list) == head.list => _ = is_there(&list),
                    _ => find(NOTE, "this is not the index of the log's entries".into()),
                }
                Some(head.size)
            }
        };
        for (name, file) in others {
            if let Err(why) = self.earlier(&name) {
                find(file, why);
            }
        }
        size
    }

    fn head(&self) -> std::result::Result<Head, String> {
        let note = self.place.get(NOTE, NOTE_LIMIT).map_err(|e| e.what)?.ok_or("it is missing")?;
        let checkpoint = &self.snapshot.checkpoint;
        let head = Head::verify(&note, &checkpoint.origin, self.keys)?;
        if head.size > checkpoint.size {
            return Err(format!("it covers {} entries, and the log has {}", head.size, checkpoint.size));
        }
        let root = self.place.tree(checkpoint.size).root(head.size);
        match root {
            Ok(root) if root == head.root => Ok(head),
            Ok(_) => Err("it is signed over other entries than the log has".into()),
            Err(error) => Err(error.what),
        }
    }

    /// The records of the first `size` entries.
    fn until(&self, size: u64) -> Vec<Record> {
        self.records.iter().filter(|record| record.index < size).copied().collect()
    }

    fn read(&self, name: &Sha256) -> Result<Vec<u8>> {
        let missing = || Error::artefact("it is missing", "make the index anew with `log index --anew`");
        self.place.get(&path(name), BUCKET_LIMIT)?.ok_or_else(missing)
    }

    /// A file that the index does not need has to be one of an index that was, or of one that was begun.
    fn earlier(&self, name: &Sha256) -> std::result::Result<(), String> {
        let bytes = self.read(name).map_err(|e| e.what)?;
        if Sha256::of(&bytes) != *name {
            return Err("it is not what its name says".into());
        }
        let size = self.snapshot.checkpoint.size;
        let expected = if let Ok(bucket) = Bucket::parse(&bytes) {
            // an entry's records come together
            let until = bucket.records.iter().map(|record| record.index.saturating_add(1)).max().unwrap_or(0);
            let mine = |record: &&Record| record.index < until && bucket_of(&record.key, bucket.bits) == bucket.number;
            let records = self.records.iter().filter(mine).copied().collect();
            Bucket { records, ..bucket }.to_bytes()
        } else {
            let list = List::parse(&bytes).map_err(|_| "it is no file of an index".to_string())?;
            if list.size > size {
                return Err("it goes beyond the checkpoint".into());
            }
            let name = |bytes: Vec<u8>| Ok(Sha256::of(&bytes));
            list_of(list.size, &self.until(list.size), name).map_err(|e: Error| e.what)?.to_bytes()
        };
        if expected == bytes {
            Ok(())
        } else {
            Err("it is of no index of the log's entries".into())
        }
    }
}
