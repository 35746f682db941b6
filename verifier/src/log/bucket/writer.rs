//! Appends to a log in a bucket, from as many machines as have its key, without a lock and without forking it.
//!
//! The commit record decides: it holds the signed checkpoint and its entries, and is replaced only by whoever has read it as it is
//! (`If-Match`). Everything after follows from it and can be done by anybody, many times: tiles (`If-None-Match`), cosignatures,
//! public checkpoint (`If-Match`, never back). A writer that finds a record whose checkpoint is not public finishes that first.
//!
//! Does **not** help against a store that acknowledges what it does not do, or shows each machine something else: witnesses do.

use super::client::{Bucket, Object, Swap, Tag};
use super::{CHECKPOINT, COMMIT};
use crate::log::commit::{Commit, COMMIT_LIMIT};
use crate::log::index::Indexed;
use crate::log::tip::{self, damaged, Change, Tip};
use crate::log::{Config, Folder, Place, Placed, Quorum, Witnesses};
use ed25519_dalek::SigningKey;
use std::time::Duration;
use vitrine_attest::note::{Checkpoint, Note, NOTE_LIMIT};
use vitrine_attest::tile::Resource;
use vitrine_attest::{Error, Result, Sha256};

/// How often a change is begun anew because another machine was first.
const ROUNDS: u32 = 40;
/// Longest wait between two of them, in milliseconds.
const LONGEST_WAIT: u64 = 2000;
/// Tiles that are sent at once.
const AT_ONCE: usize = 8;

/// A log in a bucket, open for one of several writers.
pub(in crate::log) struct BucketWriter {
    config: Config,
    secrets: Vec<SigningKey>,
    bucket: Bucket,
    place: Place,
    /// Of the tree that `stand` is about.
    tip: Tip,
    /// None: read it anew before anything is written.
    stand: Option<Stand>,
    witnesses: Option<Box<dyn Witnesses>>,
}

/// What is promised, which is published wholly.
struct Stand {
    commit: Tag,
    signers: usize,
    checkpoint: Tag,
}

/// The public checkpoint as it is.
struct Published {
    checkpoint: Checkpoint,
    note: String,
    tag: Tag,
}

impl BucketWriter {
    /// Opens a log, and finishes what any writer promised and did not finish.
    ///
    /// # Errors
    /// When there are no credentials, the store does not answer, the log is damaged, or a witness knows more of it than is there.
    pub fn open(folder: &Folder, config: Config) -> Result<Self> {
        let at = config.bucket.as_ref().ok_or_else(|| Error::bug("a log without a bucket"))?;
        let bucket = Bucket::open(at, folder)?;
        let witnesses = Quorum::of(folder, &config)?.map(|quorum| Box::new(quorum) as Box<dyn Witnesses>);
        let secrets = config.secrets(folder)?;
        let place = Place::Bucket(bucket.clone());
        let mut writer = Self { secrets, config, bucket, place, tip: Tip::default(), stand: None, witnesses };
        writer.catch_up()?;
        Ok(writer)
    }

    pub fn size(&self) -> u64 {
        self.tip.size()
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Appends, or finds that others did; begins anew as long as others are first.
    ///
    /// # Errors
    /// As for [`crate::log::Writer::append`].
    pub fn append(&mut self, batch: &[&[u8]]) -> Result<Vec<Placed>> {
        tip::within_limits(batch)?;
        for round in 0..ROUNDS {
            if self.stand.is_none() {
                self.catch_up()?;
            }
            let (placed, fresh) = self.tip.places(&self.place, batch)?;
            if fresh.is_empty() {
                return Ok(placed);
            }
            let stage = tip::stage(self.tip.size(), &fresh)?;
            let change = self.tip.change(fresh.into_iter())?;
            let note = self.sign(change.size(), &change.root())?;
            let Some(stand) = self.promise(&Commit { note, stage: Some(stage) })? else {
                wait(round)?;
                continue;
            };
            self.lay_out(&change)?;
            self.tip.take(change);
            self.publish(stand)?;
            self.tip.remember(&placed);
            return Ok(placed);
        }
        Err(self.busy())
    }

    /// # Errors
    /// As for [`crate::log::Writer::refresh`].
    pub fn refresh(&mut self) -> Result<()> {
        for round in 0..ROUNDS {
            // others may have changed the log's key meanwhile
            self.catch_up()?;
            let stand = self.stand.take().ok_or_else(|| Error::bug("nothing is known of the log"))?;
            let stand = match stand.signers == self.secrets.len() {
                true => stand,
                false => {
                    self.stand = Some(stand);
                    let note = self.sign(self.tip.size(), &self.tip.root())?;
                    match self.promise(&Commit { note, stage: None })? {
                        Some(stand) => stand,
                        None => {
                            wait(round)?;
                            continue;
                        }
                    }
                }
            };
            return self.publish(stand);
        }
        Err(self.busy())
    }

    /// # Errors
    /// As for [`crate::log::Writer::index`].
    pub fn index(&self, _anew: bool) -> Result<Indexed> {
        Err(Error::input("a log in a bucket has no index yet", "`log find` reads its entries"))
    }

    fn sign(&self, size: u64, root: &Sha256) -> Result<String> {
        self.config.checkpoint(&self.secrets, size, root)
    }

    /// Writes the commit record: from here there is no way back. None: somebody else was first. Until the change is published,
    /// nothing is known of the log.
    fn promise(&mut self, commit: &Commit) -> Result<Option<Stand>> {
        let stand = self.stand.take().ok_or_else(|| Error::bug("nothing is known of the log"))?;
        let swap = self.bucket.swap(COMMIT, &commit.to_bytes(), &stand.commit, COMMIT_LIMIT);
        match swap.map_err(|e| e.within("nobody knows whether the entries were promised"))? {
            Swap::Done(tag) => Ok(Some(Stand { commit: tag, signers: self.secrets.len(), ..stand })),
            Swap::Lost(_) => Ok(None),
        }
    }

    /// Reads what is promised, finishes it, and asks the witnesses. After it the log is at rest, or was a moment ago.
    fn catch_up(&mut self) -> Result<()> {
        self.stand = None;
        for round in 0..ROUNDS {
            let object = self.bucket.get(COMMIT, COMMIT_LIMIT)?.ok_or_else(|| missing(&self.bucket, COMMIT))?;
            let tag = object.tag.clone();
            match self.finish(object) {
                Ok(stand) => {
                    self.stand = Some(stand);
                    return Ok(());
                }
                // read while others wrote: what does not fit together may be of two moments
                Err(_) if self.is_other(&tag)? => wait(round)?,
                Err(error) => return Err(error),
            }
        }
        Err(self.busy())
    }

    /// Whether the commit record is another one by now.
    fn is_other(&self, tag: &Tag) -> Result<bool> {
        let now = self.bucket.get(COMMIT, COMMIT_LIMIT)?.ok_or_else(|| missing(&self.bucket, COMMIT))?;
        Ok(now.tag != *tag)
    }

    fn finish(&mut self, object: Object) -> Result<Stand> {
        let within = |what: String| damaged(format!("{}: {what}", self.bucket.name(COMMIT)));
        let commit = Commit::parse(&object.bytes).map_err(within)?;
        let keys = self.config.public()?;
        let promised = commit.by_newest(&self.config.origin, &keys).map_err(|why| other_key(&self.bucket, &why))?;
        let published = self.published()?;
        let signers = Note::parse(commit.note.as_bytes()).and_then(|note| Ok(note.signers(&keys)?.len()));
        let stand = Stand { commit: object.tag, signers: signers.map_err(within)?, checkpoint: published.tag.clone() };
        let resumed = self.tip.resume(&self.place, commit.stage, &promised, &published.checkpoint)?;
        let Some((_, change)) = resumed else {
            self.ask_before(&published.note)?;
            return Ok(stand);
        };
        self.lay_out(&change)?;
        self.tip.take(change);
        self.ask_before(&published.note)?;
        self.publish(stand)?;
        self.stand.take().ok_or_else(|| Error::bug("nothing is known of the log"))
    }

    /// The fork guard, as of a log in a folder. One who knows more may have been shown it a moment ago, by another machine: whoever
    /// calls this looks whether the commit record is still the same.
    fn ask_before(&mut self, published: &str) -> Result<()> {
        let size = self.tip.size();
        self.witnesses.as_mut().map_or(Ok(()), |witnesses| witnesses.guard(published, size))
    }

    /// Each once, whoever makes it.
    fn lay_out(&self, change: &Change) -> Result<()> {
        let (share, bucket) = (change.files.len().div_ceil(AT_ONCE).max(1), &self.bucket);
        std::thread::scope(|scope| {
            let all: Vec<_> = change
                .files
                .chunks(share)
                .map(|files| {
                    let create = move |(resource, bytes): &(Resource, Vec<u8>)| bucket.create(&resource.path(), bytes);
                    scope.spawn(move || files.iter().try_for_each(create))
                })
                .collect();
            all.into_iter()
                .try_for_each(|one| one.join().unwrap_or_else(|_| Err(Error::bug("a writer of tiles ended"))))
        })
    }

    /// Signs the newest tree, has it witnessed, and shows it, unless others did.
    fn publish(&mut self, mut stand: Stand) -> Result<()> {
        let mut note = self.sign(self.tip.size(), &self.tip.root())?;
        let (place, size) = (&self.place, self.tip.size());
        if let Some(witnesses) = &mut self.witnesses {
            match witnesses.cosign(&note, &mut |old| place.tree(size).consistency(old, size)) {
                Ok(lines) => note += &lines,
                Err(error) => {
                    // a witness that knows more was shown it by another machine, which then has published it
                    let published = self.published()?;
                    if !self.is_shown(&published)? {
                        return Err(error);
                    }
                    stand.checkpoint = published.tag;
                    self.stand = Some(stand);
                    return Ok(());
                }
            }
        }
        for _ in 0..ROUNDS {
            match self.bucket.swap(CHECKPOINT, note.as_bytes(), &stand.checkpoint, NOTE_LIMIT)? {
                Swap::Done(tag) => {
                    stand.checkpoint = tag;
                    self.stand = Some(stand);
                    return Ok(());
                }
                Swap::Lost(object) => {
                    let published = self.read(object)?;
                    stand.checkpoint = published.tag.clone();
                    if self.is_shown(&published)? {
                        self.stand = Some(stand);
                        return Ok(());
                    }
                }
            }
        }
        Err(self.busy())
    }

    /// Whether everybody can see this tree already: it, or one that has grown from it.
    fn is_shown(&self, published: &Published) -> Result<bool> {
        let Checkpoint { size, root, .. } = &published.checkpoint;
        if *size < self.tip.size() {
            return Ok(false);
        }
        if self.place.tree(*size).root(self.tip.size())? != self.tip.root()
            || (*size == self.tip.size() && *root != self.tip.root())
        {
            return Err(damaged(format!("{size} entries are published that do not begin with what was promised")));
        }
        Ok(true)
    }

    fn published(&self) -> Result<Published> {
        self.read(self.bucket.get(CHECKPOINT, NOTE_LIMIT)?.ok_or_else(|| missing(&self.bucket, CHECKPOINT))?)
    }

    fn read(&self, object: Object) -> Result<Published> {
        let within = |what: String| damaged(format!("{}: {what}", self.bucket.name(CHECKPOINT)));
        let note = Note::parse(&object.bytes).map_err(within)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(within)?;
        let keys = self.config.public()?;
        if checkpoint.origin != self.config.origin || note.signers(&keys).map_err(within)?.is_empty() {
            return Err(within("it is not signed by this log".into()));
        }
        let note = String::from_utf8(object.bytes).map_err(|_| within("it is no UTF-8".into()))?;
        Ok(Published { checkpoint, note, tag: object.tag })
    }

    fn busy(&self) -> Error {
        Error::host(
            format!("other machines were first {ROUNDS} times: {}", self.bucket.name("")),
            "nothing that was acknowledged is lost: run the same command again, with larger batches or fewer writers",
        )
    }
}

/// Longer each time, and not as long as others wait.
fn wait(round: u32) -> Result<()> {
    let longest = (20u64 << round.min(10)).min(LONGEST_WAIT);
    let [a, b, ..] = crate::server::random()?;
    std::thread::sleep(Duration::from_millis(longest * u64::from(u16::from_be_bytes([a, b])) / u64::from(u16::MAX)));
    Ok(())
}

fn missing(bucket: &Bucket, name: &str) -> Error {
    Error::artefact(
        format!("{} is not there", bucket.name(name)),
        "this is no log's bucket and prefix, or somebody has removed its objects: append nothing until you know why",
    )
}

fn other_key(bucket: &Bucket, why: &str) -> Error {
    Error::artefact(
        format!("{}: {why}", bucket.name(COMMIT)),
        "if the log's key was changed on another machine, copy log.json and the keys of its folder to this one; else append nothing until you know why",
    )
}
