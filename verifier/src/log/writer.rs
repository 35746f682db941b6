//! Appends to a log, durably: what is acknowledged outlasts every failure of program or power.
//!
//! In this order, each on disk before the next begins: stage, commit (the point of no return), tiles, cosignatures, public
//! checkpoint. Does **not** help against a disk that loses what it said it holds.

use super::config::Config;
use super::disk::{self, Disk, Same};
use super::reader::{Place, Snapshot};
use super::seen::Seen;
use super::stage::{Stage, FILE_LIMIT, STAGE_LIMIT};
use super::{Folder, Quorum, Witnesses};
use crate::files;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use vitrine_attest::merkle::leaf;
use vitrine_attest::note::{self, Checkpoint, Note, NOTE_LIMIT};
use vitrine_attest::tile::{
    added, entries, hashes, push_entry, to_bytes, Edge, Resource, Tile, ENTRY_LIMIT, TILE_BYTES,
};
use vitrine_attest::{Error, Result, Sha256};

/// A log that is open for one writer.
pub struct Writer {
    folder: Folder,
    config: Config,
    secrets: Vec<SigningKey>,
    /// Of the tree as it was promised.
    edge: Edge,
    /// Entries of its last bundle, which is not full.
    bundle: Vec<u8>,
    seen: Option<Seen>,
    witnesses: Option<Box<dyn Witnesses>>,
    _lock: File,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub index: u64,
    pub leaf: Sha256,
    /// It stood there before.
    pub duplicate: bool,
}

impl Writer {
    /// Opens a log, and finishes what an earlier writer promised and did not finish.
    ///
    /// # Errors
    /// When another writer is at work, the log is damaged, a witness knows more of it than its folder does, or the disk fails.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Folder::new(path);
        let config = Config::read(&folder)?;
        let witnesses = Quorum::of(&folder, &config)?.map(|quorum| Box::new(quorum) as Box<dyn Witnesses>);
        let lock = disk::lock(&folder)?;
        std::fs::create_dir_all(folder.work()).map_err(|e| disk::failed(&folder.work(), &e))?;
        let secrets = config.secrets(&folder)?;
        let mut writer =
            Self { secrets, config, folder, edge: Edge::default(), bundle: vec![], seen: None, witnesses, _lock: lock };
        writer.resume()?;
        Ok(writer)
    }

    /// The entries in it.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    fn resume(&mut self) -> Result<()> {
        let promised = self.promised()?;
        let published = Snapshot::read(&Place::Folder(self.folder.public()), &self.config.public()?)?.checkpoint;
        if published.size > promised.size {
            return Err(damaged(format!(
                "{} entries are published, and {} are promised: this is an old copy of the log, or a part of one",
                published.size, promised.size
            )));
        }
        match self.staged()? {
            Some(stage) if stage.old + stage.count == promised.size && published.size < promised.size => {
                self.load(stage.old)?;
                let change = self.change(stage.each().flatten())?;
                if change.edge.root() != promised.root {
                    return Err(damaged("the staged entries do not lead to the root that was promised".into()));
                }
                self.lay_out(&change, Same::Renew)?;
                self.take(change);
                self.ask_before()?;
                self.publish()?;
                self.drop_partial(stage.old)
            }
            _ if published.size < promised.size => {
                Err(damaged(format!("{} entries were promised, and the last of them are not there", promised.size)))
            }
            _ => {
                self.load(promised.size)?;
                if self.edge.root() != promised.root || published.root != promised.root {
                    return Err(damaged("its tiles do not lead to the root that was promised".into()));
                }
                self.ask_before()
            }
        }
    }

    /// The commit record.
    fn promised(&self) -> Result<Checkpoint> {
        let path = self.folder.commit();
        let bytes = files::read(&path, NOTE_LIMIT).map_err(|e| damaged(e.what))?;
        let within = |what: String| damaged(format!("{}: {what}", path.display()));
        let note = Note::parse(&bytes).map_err(within)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(within)?;
        let keys = self.config.public()?;
        if checkpoint.origin != self.config.origin || note.signers(&keys).map_err(within)?.is_empty() {
            return Err(within("it is not signed by this log".into()));
        }
        Ok(checkpoint)
    }

    /// None: nothing is staged, or not wholly, which then was never promised.
    fn staged(&self) -> Result<Option<Stage>> {
        let path = self.folder.stage();
        if !path.exists() {
            return Ok(None);
        }
        Ok(Stage::parse(&files::read(&path, FILE_LIMIT)?))
    }

    /// Reads the right edge of the first `size` entries.
    fn load(&mut self, size: u64) -> Result<()> {
        let public = self.folder.public();
        let read = |resource: Resource| {
            let path = public.join(resource.path());
            files::read(&path, vitrine_attest::tile::BUNDLE_LIMIT).map_err(|e| damaged(e.what))
        };
        self.edge = Edge::load(size, |tile| hashes(tile, &read(Resource::Hashes(tile))?).map_err(damaged))?;
        self.bundle = match self.edge.partial().next().filter(|(tile, _)| tile.level == 0) {
            Some((tile, expected)) => {
                let bundle = read(Resource::Entries(tile))?;
                let found: Vec<Sha256> = entries(&bundle, tile.width).map_err(damaged)?.into_iter().map(leaf).collect();
                if found != expected {
                    return Err(damaged(format!("{} is not what its hashes say", tile.entries_path())));
                }
                bundle
            }
            None => vec![],
        };
        Ok(())
    }

    /// Appends entries that are not there yet, as one change: all of them or none. Returned, they are published.
    ///
    /// # Errors
    /// When one is too long (nothing is changed then), a witness is missing, or the disk fails. What was promised by then is finished
    /// by the next who opens the log.
    pub fn append(&mut self, batch: &[&[u8]]) -> Result<Vec<Placed>> {
        let bytes: usize = batch.iter().map(|entry| entry.len() + 2).sum();
        if let Some(long) = batch.iter().find(|entry| entry.len() > ENTRY_LIMIT) {
            let what = format!("an entry has {} bytes, more than {ENTRY_LIMIT}", long.len());
            return Err(Error::input(what, "leave it out, or publish its digest"));
        }
        if bytes > STAGE_LIMIT {
            let what = format!("the entries have {bytes} bytes together, more than {STAGE_LIMIT}");
            return Err(Error::input(what, "append them in smaller batches (--batch)"));
        }
        let (placed, fresh) = self.places(batch)?;
        if fresh.is_empty() {
            return Ok(placed);
        }
        let mut staged = Vec::with_capacity(bytes);
        for entry in &fresh {
            push_entry(&mut staged, entry).map_err(Error::bug)?;
        }
        let stage = Stage { old: self.size(), count: fresh.len() as u64, entries: staged };
        let change = self.change(fresh.into_iter())?;
        let mut disk = Disk::new(&self.folder);
        disk.replace(&self.folder.stage(), &stage.to_bytes(), 0o600)?;
        disk.sync()?;
        self.promise(change.edge.size(), &change.edge.root())?;
        self.lay_out(&change, Same::Keep)?;
        self.take(change);
        self.publish()?;
        self.drop_partial(stage.old)?;
        if let Some(seen) = &mut self.seen {
            placed.iter().for_each(|placed| seen.add(&placed.leaf, placed.index));
        }
        Ok(placed)
    }

    /// Signs the newest checkpoint with all of the log's keys, has the witnesses sign it anew, and publishes it: so that nobody takes a
    /// log that rests for one that is held back.
    ///
    /// # Errors
    /// When a witness is missing, or the disk fails.
    pub fn refresh(&mut self) -> Result<()> {
        self.promise(self.edge.size(), &self.edge.root())?;
        self.publish()
    }

    /// Where each entry will stand, and those that are new.
    fn places<'e>(&mut self, batch: &[&'e [u8]]) -> Result<(Vec<Placed>, Vec<&'e [u8]>)> {
        self.look_back()?;
        let (mut placed, mut fresh, mut in_batch) = (Vec::with_capacity(batch.len()), vec![], HashMap::new());
        for entry in batch {
            let leaf = leaf(entry);
            let before = match in_batch.get(&leaf) {
                Some(index) => Some(*index),
                None => self.index_of(&leaf)?,
            };
            let index = before.unwrap_or(self.size() + fresh.len() as u64);
            if before.is_none() {
                fresh.push(*entry);
                in_batch.insert(leaf, index);
            }
            placed.push(Placed { index, leaf, duplicate: before.is_some() });
        }
        Ok((placed, fresh))
    }

    fn index_of(&self, leaf: &Sha256) -> Result<Option<u64>> {
        let Some(index) = self.seen.as_ref().and_then(|seen| seen.find(leaf)) else { return Ok(None) };
        let there = self.leaves(index / 256)?.get((index % 256) as usize) == Some(leaf);
        Ok(there.then_some(index))
    }

    /// Reads the hashes of all entries, once.
    fn look_back(&mut self) -> Result<()> {
        if self.seen.is_none() {
            let mut seen = Seen::default();
            for tile in 0..self.size().div_ceil(256) {
                for (index, leaf) in (tile * 256..).zip(self.leaves(tile)?) {
                    seen.add(&leaf, index);
                }
            }
            self.seen = Some(seen);
        }
        Ok(())
    }

    fn leaves(&self, tile: u64) -> Result<Vec<Sha256>> {
        let tile = Tile::of_tree(0, tile, self.size()).ok_or_else(|| Error::bug("no such tile"))?;
        let path = self.folder.public().join(tile.path());
        let bytes = files::read(&path, TILE_BYTES).map_err(|e| damaged(e.what))?;
        hashes(tile, &bytes).map_err(damaged)
    }

    /// What changes with these entries; nothing is written.
    fn change<'e>(&self, fresh: impl Iterator<Item = &'e [u8]>) -> Result<Change> {
        let mut change = Change { edge: self.edge.clone(), bundle: self.bundle.clone(), files: vec![] };
        for entry in fresh {
            push_entry(&mut change.bundle, entry).map_err(Error::bug)?;
            let Change { edge, bundle, files } = &mut change;
            edge.push(leaf(entry), |tile, hashes| {
                if tile.level == 0 {
                    files.push((Resource::Entries(tile), std::mem::take(bundle)));
                }
                files.push((Resource::Hashes(tile), to_bytes(hashes)));
            });
        }
        let partial = added(self.size(), change.edge.size()).filter(|tile| !tile.is_full());
        for tile in partial.collect::<Vec<_>>() {
            if tile.level == 0 {
                change.files.push((Resource::Entries(tile), change.bundle.clone()));
            }
            let hashes =
                change.edge.partial().find(|(partial, _)| *partial == tile).map(|(_, hashes)| to_bytes(hashes));
            change.files.push((Resource::Hashes(tile), hashes.ok_or_else(|| Error::bug("a tile is missing"))?));
        }
        Ok(change)
    }

    /// Writes the commit record.
    fn promise(&self, size: u64, root: &Sha256) -> Result<()> {
        let note = signed(&self.config, &self.secrets, size, root)?;
        let mut disk = Disk::new(&self.folder);
        disk.replace(&self.folder.commit(), note.as_bytes(), 0o644)?;
        disk.sync()
    }

    fn lay_out(&self, change: &Change, same: Same) -> Result<()> {
        let (mut disk, public) = (Disk::new(&self.folder), self.folder.public());
        for (resource, bytes) in &change.files {
            disk.create(&public.join(resource.path()), bytes, same)?;
        }
        disk.sync()
    }

    fn take(&mut self, change: Change) {
        (self.edge, self.bundle) = (change.edge, change.bundle);
    }

    /// The fork guard: nobody may know more of this log than its folder does. A log that was restored from an old copy would
    /// otherwise sign a second tree over the same numbers.
    fn ask_before(&mut self) -> Result<()> {
        let published = files::read(&self.folder.checkpoint(), NOTE_LIMIT)?;
        let Some(witnesses) = &mut self.witnesses else { return Ok(()) };
        witnesses.guard(&String::from_utf8_lossy(&published), self.edge.size())
    }

    /// Signs the newest tree, has it witnessed, and shows it.
    fn publish(&mut self) -> Result<()> {
        let mut note = signed(&self.config, &self.secrets, self.edge.size(), &self.edge.root())?;
        if let Some(witnesses) = &mut self.witnesses {
            let place = Place::Folder(self.folder.public());
            let size = self.edge.size();
            let lines = witnesses.cosign(&note, &mut |old| place.tree(size).consistency(old, size))?;
            note += &lines;
        }
        let mut disk = Disk::new(&self.folder);
        disk.replace(&self.folder.checkpoint(), note.as_bytes(), 0o644)?;
        disk.sync()
    }

    /// Partial tiles of a tile that is full and published may go (C2SP tlog-tiles, "Partial Tiles"): they would take more room than
    /// all the rest. Partial were those at the right edge of the tree of `old` entries.
    fn drop_partial(&self, old: u64) -> Result<()> {
        for level in 0..8u8 {
            let index = (old >> (u32::from(level) * 8)) / 256;
            let Some(tile) = Tile::of_tree(level, index, self.size()).filter(Tile::is_full) else { break };
            self.drop_beside(Resource::Hashes(tile))?;
            if level == 0 {
                self.drop_beside(Resource::Entries(tile))?;
            }
        }
        Ok(())
    }

    fn drop_beside(&self, full: Resource) -> Result<()> {
        let path = self.folder.public().join(format!("{full}.p"));
        match std::fs::remove_dir_all(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(disk::failed(&path, &e)),
            _ => Ok(()),
        }
    }
}

/// A tree with more entries, and the files that it needs.
struct Change {
    edge: Edge,
    bundle: Vec<u8>,
    files: Vec<(Resource, Vec<u8>)>,
}

/// A checkpoint with the log's own signatures.
pub(super) fn signed(config: &Config, secrets: &[SigningKey], size: u64, root: &Sha256) -> Result<String> {
    let text = format!("{}\n{size}\n{}\n", config.origin, STANDARD.encode(root.0));
    let lines: String =
        secrets.iter().map(|key| note::sign(&text, &config.origin, key, None)).collect::<Result<_>>()?;
    Ok(format!("{text}\n{lines}"))
}

fn damaged(what: String) -> Error {
    Error::artefact(
        format!("the log is damaged: {what}"),
        "run `vitrine-verify log fsck`; append nothing until you know why",
    )
}
