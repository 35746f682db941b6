//! The end of a log in memory: all that is needed to say which files a change needs. Nothing here writes.

use super::bundles;
use super::reader::Place;
use super::seen::Seen;
use super::stage::{Stage, STAGE_LIMIT};
use super::Placed;
use std::collections::HashMap;
use vitrine_attest::merkle::leaf;
use vitrine_attest::note::Checkpoint;
use vitrine_attest::tile::{added, push_entry, to_bytes, Edge, Resource, Tile, ENTRY_LIMIT};
use vitrine_attest::{Blame, Error, Result, Sha256};

/// Tiles that are kept while the entries of one change are looked up: eight megabytes.
const TILES_KEPT: usize = 1024;

/// Right edge of a tree, and which entries stand in it.
#[derive(Default)]
pub(super) struct Tip {
    edge: Edge,
    /// Entries of its last bundle, which is not full.
    bundle: Vec<u8>,
    seen: Seen,
    /// So many entries were looked at for `seen`.
    looked: u64,
}

/// A tree with more entries, and the files that it needs.
pub(super) struct Change {
    edge: Edge,
    bundle: Vec<u8>,
    pub files: Vec<(Resource, Vec<u8>)>,
}

impl Change {
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    pub fn root(&self) -> Sha256 {
        self.edge.root()
    }
}

impl Tip {
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    pub fn root(&self) -> Sha256 {
        self.edge.root()
    }

    /// Reads the right edge of the first `size` entries. Compare its root with one that was signed.
    ///
    /// # Errors
    /// When the log does not have what it needs, or it is damaged.
    pub fn load(&mut self, place: &Place, size: u64) -> Result<()> {
        let edge = Edge::load(size, |tile| place.hashes(tile).map_err(unreadable))?;
        let mut bundle = vec![];
        if let Some((tile, expected)) = edge.partial().next().filter(|(tile, _)| tile.level == 0) {
            let entries = place.entries(tile).map_err(unreadable)?;
            let found: Vec<Sha256> = entries.iter().map(|entry| leaf(entry)).collect();
            if found != expected {
                return Err(damaged(format!("{} is not what its hashes say", tile.entries_path())));
            }
            for entry in &entries {
                push_entry(&mut bundle, entry).map_err(Error::bug)?;
            }
        }
        (self.edge, self.bundle) = (edge, bundle);
        Ok(())
    }

    /// Where each entry will stand, and those that are new.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn places<'e>(&mut self, place: &Place, batch: &[&'e [u8]]) -> Result<(Vec<Placed>, Vec<&'e [u8]>)> {
        self.look_back(place)?;
        let (mut placed, mut fresh, mut in_batch) = (Vec::with_capacity(batch.len()), vec![], HashMap::new());
        let mut tiles = HashMap::new();
        for entry in batch {
            let leaf = leaf(entry);
            let before = match in_batch.get(&leaf) {
                Some(index) => Some(*index),
                None => self.index_of(place, &leaf, &mut tiles)?,
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

    /// `tiles`: those that were read for entries before this one, which may be a request each.
    fn index_of(&self, place: &Place, leaf: &Sha256, tiles: &mut HashMap<u64, Vec<Sha256>>) -> Result<Option<u64>> {
        let Some(index) = self.seen.find(leaf) else { return Ok(None) };
        let tile = index / 256;
        if !tiles.contains_key(&tile) {
            if tiles.len() >= TILES_KEPT {
                tiles.clear();
            }
            tiles.insert(tile, self.leaves(place, tile)?);
        }
        let there = tiles.get(&tile).and_then(|leaves| leaves.get((index % 256) as usize)) == Some(leaf);
        Ok(there.then_some(index))
    }

    /// Reads the hashes of all entries that were not looked at yet.
    fn look_back(&mut self, place: &Place) -> Result<()> {
        let tiles = self.looked / 256..self.size().div_ceil(256);
        let leaves = bundles::try_each(tiles.clone(), |tile| self.leaves(place, tile))?;
        for (tile, leaves) in tiles.zip(leaves) {
            for (index, leaf) in (tile * 256..).zip(leaves) {
                self.seen.add(&leaf, index);
            }
        }
        self.looked = self.size();
        Ok(())
    }

    fn leaves(&self, place: &Place, tile: u64) -> Result<Vec<Sha256>> {
        let tile = Tile::of_tree(0, tile, self.size()).ok_or_else(|| Error::bug("no such tile"))?;
        place.hashes(tile).map_err(unreadable)
    }

    /// What changes with these entries.
    ///
    /// # Errors
    /// When one is too long.
    pub fn change<'e>(&self, fresh: impl Iterator<Item = &'e [u8]>) -> Result<Change> {
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

    /// Reads the log as far as it is laid out: to what was promised, or, when that is not published yet, to where the change
    /// began. None: nothing is left to do; else the size before that change, and the change again from its entries.
    ///
    /// # Errors
    /// When what is there is older than what was published or known here, or does not lead to the root that was promised.
    pub fn resume(
        &mut self,
        place: &Place,
        stage: Option<Stage>,
        promised: &Checkpoint,
        published: &Checkpoint,
    ) -> Result<Option<(u64, Change)>> {
        let known = published.size.max(self.size());
        if known > promised.size {
            return Err(damaged(format!(
                "{known} entries are published, and {} are promised: this is an old copy of the log, or a part of one",
                promised.size
            )));
        }
        if published.size == promised.size {
            self.load(place, promised.size)?;
            if self.root() != promised.root || published.root != promised.root {
                return Err(damaged("its tiles do not lead to the root that was promised".into()));
            }
            return Ok(None);
        }
        let stage = stage.filter(|stage| stage.old.checked_add(stage.count) == Some(promised.size));
        let stage = stage.ok_or_else(|| {
            damaged(format!("{} entries were promised, and the last of them are not there", promised.size))
        })?;
        self.load(place, stage.old)?;
        let change = self.change(stage.each().flatten())?;
        if change.root() != promised.root {
            return Err(damaged("the staged entries do not lead to the root that was promised".into()));
        }
        Ok(Some((stage.old, change)))
    }

    /// From here on this is the log.
    pub fn take(&mut self, change: Change) {
        (self.edge, self.bundle) = (change.edge, change.bundle);
    }

    /// These stand in it now, and nothing else that is new.
    pub fn remember(&mut self, placed: &[Placed]) {
        placed.iter().for_each(|placed| self.seen.add(&placed.leaf, placed.index));
        self.looked = self.size();
    }
}

/// The entries of a change, before anything is signed.
///
/// # Errors
/// When one is too long.
pub(super) fn stage(old: u64, fresh: &[&[u8]]) -> Result<Stage> {
    let mut entries = vec![];
    for entry in fresh {
        push_entry(&mut entries, entry).map_err(Error::bug)?;
    }
    Ok(Stage { old, count: fresh.len() as u64, entries })
}

/// # Errors
/// When an entry is too long, or they are more than a change may have.
pub(super) fn within_limits(batch: &[&[u8]]) -> Result<()> {
    if let Some(long) = batch.iter().find(|entry| entry.len() > ENTRY_LIMIT) {
        let what = format!("an entry has {} bytes, more than {ENTRY_LIMIT}", long.len());
        return Err(Error::input(what, "leave it out, or publish its digest"));
    }
    let bytes: usize = batch.iter().map(|entry| entry.len() + 2).sum();
    if bytes > STAGE_LIMIT {
        let what = format!("the entries have {bytes} bytes together, more than {STAGE_LIMIT}");
        return Err(Error::input(what, "append them in smaller batches (--batch)"));
    }
    Ok(())
}

/// What cannot be had at the moment is not damaged.
fn unreadable(error: Error) -> Error {
    match error.blame {
        Blame::Host => error,
        _ => damaged(error.what),
    }
}

pub(super) fn damaged(what: String) -> Error {
    Error::artefact(
        format!("the log is damaged: {what}"),
        "run `vitrine-verify log fsck`; append nothing until you know why",
    )
}
