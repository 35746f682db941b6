//! Asks a log's index. What it answers is what the log has signed, no more.

use super::{path, NOTE};
use crate::log::Place;
use vitrine_attest::log_index::{bucket_of, Bucket, Head, Key, List, BUCKET_LIMIT, LIST_LIMIT};
use vitrine_attest::note::NOTE_LIMIT;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// An index whose note and list hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub head: Head,
    pub(super) list: List,
}

impl Index {
    /// The newest index of the log with this name and these keys. None: it has none.
    ///
    /// Does **not** look at the entries: neither that they are in it, nor that it is about this tree.
    ///
    /// # Errors
    /// When it cannot be had, is not signed by the log, or is damaged.
    pub fn read(place: &Place, origin: &str, keys: &[NoteKey]) -> Result<Option<Self>> {
        let Some(note) = place.get(NOTE, NOTE_LIMIT)? else { return Ok(None) };
        let head = Head::verify(&note, origin, keys).map_err(|why| damaged(format!("{NOTE}: {why}")))?;
        let bytes = file(place, &head.list, LIST_LIMIT)?;
        let list = List::parse(&bytes).map_err(|why| damaged(format!("{}: {why}", path(&head.list))))?;
        if list.size != head.size {
            return Err(damaged(format!("its list has {} entries, its note {}", list.size, head.size)));
        }
        Ok(Some(Self { head, list }))
    }

    /// Numbers of the entries under this key, ascending, all below [`Head::size`].
    ///
    /// # Errors
    /// When the bucket cannot be had, or is damaged.
    pub fn find(&self, place: &Place, key: &Key) -> Result<Vec<u64>> {
        let hash = key.hash();
        let bucket = self.bucket(place, bucket_of(&hash, self.list.bits()))?;
        Ok(bucket.find(&hash).collect())
    }

    pub(super) fn bucket(&self, place: &Place, number: u16) -> Result<Bucket> {
        let name = self.list.buckets.get(usize::from(number)).ok_or_else(|| Error::bug("no such bucket"))?;
        let within = |why: String| damaged(format!("{}: {why}", path(name)));
        let bucket = Bucket::parse(&file(place, name, BUCKET_LIMIT)?).map_err(within)?;
        if (bucket.bits, bucket.number) != (self.list.bits(), number) {
            return Err(within("it is another bucket".into()));
        }
        if bucket.records.iter().any(|record| record.index >= self.head.size) {
            return Err(within("it names entries beyond its note".into()));
        }
        Ok(bucket)
    }
}

/// A file whose name is its SHA-256.
fn file(place: &Place, name: &Sha256, limit: usize) -> Result<Vec<u8>> {
    let path = path(name);
    let bytes = place.get(&path, limit)?.ok_or_else(|| damaged(format!("{path} is missing")))?;
    if Sha256::of(&bytes) != *name {
        return Err(damaged(format!("{path} is not what its name says")));
    }
    Ok(bytes)
}

fn damaged(what: String) -> Error {
    Error::artefact(
        format!("the log's index is damaged: {what}"),
        "its entries need not be: read them instead (`log find --scan`); its operator makes it anew with `log index --anew`",
    )
}
