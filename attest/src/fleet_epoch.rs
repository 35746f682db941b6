//! Which servers an operator ran for a time, so that each customer checks the own one and nobody learns how many there are:
//! what `fleet-epoch.dsse.json` signs, and the file that one customer gets.
//!
//! Sample of the payload (canonical JSON):
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1","predicate":{"capacity":1024,"epoch":7,"from":"2026-11-01",
//!  "root":"ab…","until":"2026-11-30"},"predicateType":"urn:vitrine:fleet-epoch:v1",
//!  "subject":[{"digest":{"sha256":"ab…"},"name":"fleet-epoch-7"}]}
//! ```
//! ```text
//! record = canonical JSON {customer, epoch, pad, release, server, v}, filled up with `pad` to 384 bytes
//! leaf   = SHA-256(00 ‖ salt[32] ‖ record)         root: RFC 9162, §2.1.1
//! ```
//! The tree is filled up to `capacity` leaves with records that name no server. Leaves stand in the order of their hashes:
//! salts are random, so the order is, and says nothing about who came first.
//!
//! **Hides**, as long as salts are kept secret: how many servers there are (only that they are no more than `capacity`),
//! which, and whose; from epoch to epoch too, when `capacity` stays the same. **Does not hide** `capacity` and the dates.
//! **Does not show** that the list is complete or true: an operator can leave a server out, name one that does not exist, or
//! give two customers the same record. A customer finds that out only from the own file, and by comparing `server` with
//! the endorsement key of the machine that answers.

use crate::calendar::Date;
use crate::canonical::to_canonical_json;
use crate::fingerprint::Fingerprint;
use crate::predicate::{subjects, text, Predicate};
use crate::statement::{Statement, Subject};
use crate::{merkle, Error, Result, Sha256};
use serde::{Deserialize, Serialize};

/// `predicateType`.
pub const FLEET_EPOCH_TYPE: &str = "urn:vitrine:fleet-epoch:v1";
/// Length of each record in bytes: the longest that can be written has 349.
pub const RECORD_LENGTH: usize = 384;
/// Longest name of a customer, in bytes; whatever the two have agreed on.
pub const CUSTOMER_LIMIT: usize = 64;
/// Most leaves. The operator's book holds a salt for each.
pub const CAPACITY_LIMIT: u64 = 1 << 16;
/// Largest customer's file that is read, in bytes; one of the largest tree has 2,200.
pub const FILE_LIMIT: usize = 8192;
/// Version of records and of customers' files.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetEpoch {
    /// Number of this time span.
    pub epoch: u64,
    pub root: Sha256,
    /// Leaves of the tree, a power of two.
    pub capacity: u64,
    /// First and last day.
    pub from: Date,
    pub until: Date,
}

impl Predicate for FleetEpoch {
    const TYPE: &'static str = FLEET_EPOCH_TYPE;

    fn check(&self, subject: &[Subject]) -> std::result::Result<(), String> {
        if subjects(subject)? != [self.root] {
            return Err("its subject is not the root".into());
        }
        check_capacity(self.capacity)?;
        if self.until < self.from {
            return Err(format!("it ends on {}, before it begins on {}", self.until, self.from));
        }
        Ok(())
    }
}

fn check_capacity(capacity: u64) -> std::result::Result<(), String> {
    if !capacity.is_power_of_two() || !(2..=CAPACITY_LIMIT).contains(&capacity) {
        return Err(format!("a capacity of {capacity} is no power of two from 2 to {CAPACITY_LIMIT}"));
    }
    Ok(())
}

/// One server in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub v: u32,
    pub epoch: u64,
    /// SHA-256 of the endorsement key's public area, as `vitrine-verify state list` names a server. None: this record
    /// fills the tree up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Sha256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub customer: String,
    /// Zeros, as many as make all records equally long.
    pub pad: String,
}

impl Record {
    /// # Errors
    /// [`crate::Blame::Input`] when the customer's name is too long or has control characters.
    pub fn new(epoch: u64, server: Sha256, release: Fingerprint, customer: &str) -> Result<Self> {
        let record = Self { customer: customer.into(), ..Self::of(epoch, Some(server), Some(release)) };
        text("customer", customer, CUSTOMER_LIMIT)
            .map_err(|why| Error::input(why, "give the customer a short name"))?;
        record.padded()
    }

    /// One that says nothing.
    fn filling(epoch: u64) -> Result<Self> {
        Self::of(epoch, None, None).padded()
    }

    fn of(epoch: u64, server: Option<Sha256>, release: Option<Fingerprint>) -> Self {
        Self { v: VERSION, epoch, server, release, customer: String::new(), pad: String::new() }
    }

    fn padded(mut self) -> Result<Self> {
        let missing = RECORD_LENGTH.checked_sub(to_canonical_json(&self)?.len());
        self.pad = "0".repeat(missing.ok_or_else(|| Error::bug("a record is longer than any can be"))?);
        Ok(self)
    }

    fn leaf(&self, salt: &Sha256) -> Result<Sha256> {
        Ok(merkle::leaf(&[&salt.0[..], &to_canonical_json(self)?].concat()))
    }

    /// Of a file.
    fn check(&self) -> std::result::Result<(), String> {
        if self.v != VERSION {
            return Err(format!("version {} of the record is unknown", self.v));
        }
        if self.server.is_none() || self.release.is_none() {
            return Err("the record names no server or no release".into());
        }
        text("customer", &self.customer, CUSTOMER_LIMIT)?;
        let length = to_canonical_json(self).map_err(|e| e.what)?.len();
        if length != RECORD_LENGTH || self.pad.bytes().any(|byte| byte != b'0') {
            return Err(format!("the record is not filled up to {RECORD_LENGTH} bytes with zeros"));
        }
        Ok(())
    }
}

/// A leaf's record with its salt, in the order of the leaves. Secret: with all salts anybody counts the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub record: Record,
    pub salt: Sha256,
}

/// The operator's side of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    entries: Vec<Entry>,
    /// Hashes from the leaves up to the root.
    levels: Vec<Vec<Sha256>>,
}

impl Book {
    /// `random` gives a new salt each time: 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// [`crate::Blame::Input`] when they do not fit into `capacity`, or are of another epoch; and what `random` says.
    pub fn make(
        epoch: u64,
        capacity: u64,
        records: Vec<Record>,
        mut random: impl FnMut() -> Result<Sha256>,
    ) -> Result<Self> {
        check_capacity(capacity).map_err(|why| Error::input(why, "give another --capacity"))?;
        if records.len() as u64 > capacity {
            let what = format!("{} servers do not fit into a capacity of {capacity}", records.len());
            return Err(Error::input(what, "give a greater --capacity, and keep it from then on"));
        }
        if records.iter().any(|record| record.epoch != epoch) {
            return Err(Error::bug("a record is of another epoch"));
        }
        let missing = capacity - records.len() as u64;
        let filling = Record::filling(epoch)?;
        let all = records.into_iter().chain((0..missing).map(|_| filling.clone()));
        let entries = all.map(|record| Ok(Entry { record, salt: random()? })).collect::<Result<_>>()?;
        Self::of(entries)
    }

    /// From the entries of a book that was kept, in any order.
    ///
    /// # Errors
    /// [`crate::Blame::Input`] when they are no whole tree.
    pub fn of(entries: Vec<Entry>) -> Result<Self> {
        check_capacity(entries.len() as u64).map_err(|why| Error::input(why, "give the whole book"))?;
        let leaf = |entry: Entry| Ok((entry.record.leaf(&entry.salt)?, entry));
        let mut leaves = entries.into_iter().map(leaf).collect::<Result<Vec<_>>>()?;
        leaves.sort_by_key(|(leaf, _)| *leaf);
        let (hashes, entries): (Vec<_>, Vec<_>) = leaves.into_iter().unzip();
        let mut levels = vec![hashes];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            levels.push(below.chunks_exact(2).map(|pair| merkle::node(&pair[0], &pair[1])).collect());
        }
        Ok(Self { entries, levels })
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn root(&self) -> Sha256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(Sha256::ZERO)
        // never empty, see `make`
    }

    /// The file for the customer of the leaf at `index`; `statement` is the SHA-256 of the signed canonical envelope.
    pub fn file(&self, index: usize, statement: Sha256) -> Option<RecordFile> {
        let Entry { record, salt } = self.entries.get(index)?.clone();
        let beside = self.levels.iter().enumerate().map(|(up, level)| level.get((index >> up) ^ 1).copied());
        // the root has nothing beside it
        let path = beside.take(self.levels.len() - 1).collect::<Option<Vec<_>>>()?;
        Some(RecordFile { v: VERSION, record, salt, index: index as u64, path, statement })
    }
}

/// What one customer gets, by a way of its own. Canonical JSON:
/// ```json
/// {"index":17,"path":["ab…"],"record":{"customer":"c-17","epoch":7,"pad":"000…","release":"vitrine1:cd…",
///  "server":"ef…","v":1},"salt":"01…","statement":"23…","v":1}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFile {
    pub v: u32,
    pub record: Record,
    pub salt: Sha256,
    pub index: u64,
    /// The leaf's sibling first.
    pub path: Vec<Sha256>,
    /// SHA-256 of the canonical envelope that holds the root.
    pub statement: Sha256,
}

impl RecordFile {
    /// # Errors
    /// [`crate::Blame::Input`] when it is none.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        const HINT: &str = "give the file that the operator made for your server, records/NAME.json";
        if bytes.len() > FILE_LIMIT {
            return Err(Error::input(format!("record: more than {FILE_LIMIT} bytes"), HINT));
        }
        let file: Self = serde_json::from_slice(bytes).map_err(|e| Error::input(format!("record: {e}"), HINT))?;
        if file.v != VERSION {
            return Err(Error::input(format!("record: version {} of the file is unknown", file.v), HINT));
        }
        Ok(file)
    }
}

/// Whether the operator has put this record into this epoch. `envelope` is the SHA-256 of the canonical envelope that the
/// statement was read from; whose signature it has, the caller checks.
///
/// Does **not** show that the server answers with that key, runs that release, or that nobody else has the same record.
///
/// # Errors
/// [`crate::Blame::Artefact`] when it is not in it.
pub fn check_record<'f>(
    statement: &Statement<FleetEpoch>,
    envelope: &Sha256,
    file: &'f RecordFile,
) -> Result<&'f Record> {
    let refused = |what: String| Error::artefact(format!("record: {what}"), "ask the operator why, and for a new file");
    let epoch = &statement.predicate;
    file.record.check().map_err(refused)?;
    if file.statement != *envelope {
        return Err(refused(format!("it is for the statement {}, this is {envelope}", file.statement)));
    }
    if file.record.epoch != epoch.epoch {
        return Err(refused(format!("it is of epoch {}, the statement of {}", file.record.epoch, epoch.epoch)));
    }
    let leaf = file.record.leaf(&file.salt)?;
    if merkle::root_of_path(leaf, file.index, epoch.capacity, &file.path) != Some(epoch.root) {
        return Err(refused("its path does not lead to the root of the statement".into()));
    }
    Ok(&file.record)
}

#[cfg(test)]
#[path = "fleet_epoch_tests.rs"]
pub(crate) mod tests;
