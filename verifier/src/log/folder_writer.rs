//! Appends to a log, durably: what is acknowledged outlasts every failure of program or power.
//!
//! In this order, each on disk before the next begins: the commit record with the entries (the point of no return), tiles,
//! cosignatures, public checkpoint. Does **not** help against a disk that loses what it said it holds.

use super::commit::{Commit, COMMIT_LIMIT};
use super::config::Config;
use super::disk::{self, Disk, Same};
use super::index::{Indexed, Update};
use super::reader::{Place, Snapshot};
use super::stage::Stage;
use super::tip::{self, damaged, Change, Tip};
use super::{Folder, Placed, Quorum, Witnesses};
use crate::files;
use ed25519_dalek::SigningKey;
use std::fs::File;
use vitrine_attest::note::{Checkpoint, NOTE_LIMIT};
use vitrine_attest::tile::{Resource, Tile};
use vitrine_attest::{Error, Result, Sha256};

/// The folder of a log, open for one writer.
pub(super) struct FolderWriter {
    folder: Folder,
    config: Config,
    secrets: Vec<SigningKey>,
    place: Place,
    /// Of the tree as it was promised.
    tip: Tip,
    witnesses: Option<Box<dyn Witnesses>>,
    /// Something was promised that is not published.
    unfinished: bool,
    _lock: File,
}

impl FolderWriter {
    /// Opens a log, and finishes what an earlier writer promised and did not finish.
    ///
    /// # Errors
    /// When another writer is at work, the log is damaged, a witness knows more of it than its folder does, or the disk fails.
    pub fn open(folder: Folder, config: Config) -> Result<Self> {
        let witnesses = Quorum::of(&folder, &config)?.map(|quorum| Box::new(quorum) as Box<dyn Witnesses>);
        let lock = disk::lock(&folder)?;
        std::fs::create_dir_all(folder.work()).map_err(|e| disk::failed(&folder.work(), &e))?;
        let secrets = config.secrets(&folder)?;
        let place = Place::Folder(folder.public());
        let mut writer =
            Self { secrets, config, folder, place, tip: Tip::default(), witnesses, unfinished: false, _lock: lock };
        writer.resume()?;
        Ok(writer)
    }

    pub fn size(&self) -> u64 {
        self.tip.size()
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    fn resume(&mut self) -> Result<()> {
        let (record, promised) = self.promised()?;
        let published = Snapshot::read(&self.place, &self.config.public()?)?.checkpoint;
        let Some((old, change)) = self.tip.resume(&self.place, record.stage, &promised, &published)? else {
            return self.ask_before();
        };
        self.lay_out(&change, Same::Renew)?;
        self.tip.take(change);
        self.ask_before()?;
        self.publish()?;
        self.drop_partial(old)
    }

    /// The commit record, and the checkpoint in it.
    fn promised(&self) -> Result<(Commit, Checkpoint)> {
        let path = self.folder.commit();
        let bytes = files::read(&path, COMMIT_LIMIT).map_err(|e| damaged(e.what))?;
        let within = |what: String| damaged(format!("{}: {what}", path.display()));
        let commit = Commit::parse(&bytes).map_err(within)?;
        let checkpoint = commit.by(&self.config.origin, &self.config.public()?).map_err(within)?;
        Ok((commit, checkpoint))
    }

    /// # Errors
    /// As for [`super::Writer::append`].
    pub fn append(&mut self, batch: &[&[u8]]) -> Result<Vec<Placed>> {
        self.at_rest()?;
        tip::within_limits(batch)?;
        let (placed, fresh) = self.tip.places(&self.place, batch)?;
        if fresh.is_empty() {
            return Ok(placed);
        }
        let stage = tip::stage(self.size(), &fresh)?;
        let (old, change) = (stage.old, self.tip.change(fresh.into_iter())?);
        self.promise(change.size(), &change.root(), Some(stage))?;
        self.lay_out(&change, Same::Keep)?;
        self.tip.take(change);
        self.publish()?;
        self.drop_partial(old)?;
        self.tip.remember(&placed);
        Ok(placed)
    }

    /// # Errors
    /// As for [`super::Writer::refresh`].
    pub fn refresh(&mut self) -> Result<()> {
        self.at_rest()?;
        self.promise(self.tip.size(), &self.tip.root(), None)?;
        self.publish()
    }

    /// # Errors
    /// As for [`super::Writer::index`].
    pub fn index(&self, anew: bool) -> Result<Indexed> {
        let (size, root) = (self.size(), self.tip.root());
        Update { folder: &self.folder, config: &self.config, secrets: &self.secrets, size, root }.run(anew)
    }

    /// Whoever promised something else after a change that failed half-way would fork the log.
    fn at_rest(&self) -> Result<()> {
        if self.unfinished {
            return Err(Error::host(
                "the change before this one is not finished",
                "open the log again: that finishes it",
            ));
        }
        Ok(())
    }

    /// Writes the commit record. From here the change has to be finished, by this program or by the next that opens the log.
    fn promise(&mut self, size: u64, root: &Sha256, stage: Option<Stage>) -> Result<()> {
        self.unfinished = true;
        let commit = Commit { note: self.config.checkpoint(&self.secrets, size, root)?, stage };
        let mut disk = Disk::new(&self.folder);
        disk.replace(&self.folder.commit(), &commit.to_bytes(), 0o644)?;
        disk.sync()
    }

    fn lay_out(&self, change: &Change, same: Same) -> Result<()> {
        let (mut disk, public) = (Disk::new(&self.folder), self.folder.public());
        for (resource, bytes) in &change.files {
            disk.create(&public.join(resource.path()), bytes, same)?;
        }
        disk.sync()
    }

    /// The fork guard: nobody may know more of this log than its folder does. A log that was restored from an old copy would
    /// otherwise sign a second tree over the same numbers.
    fn ask_before(&mut self) -> Result<()> {
        let published = files::read(&self.folder.checkpoint(), NOTE_LIMIT)?;
        let Some(witnesses) = &mut self.witnesses else { return Ok(()) };
        witnesses.guard(&String::from_utf8_lossy(&published), self.tip.size())
    }

    /// Signs the newest tree, has it witnessed, and shows it.
    fn publish(&mut self) -> Result<()> {
        let mut note = self.config.checkpoint(&self.secrets, self.tip.size(), &self.tip.root())?;
        if let Some(witnesses) = &mut self.witnesses {
            let (place, size) = (&self.place, self.tip.size());
            let lines = witnesses.cosign(&note, &mut |old| place.tree(size).consistency(old, size))?;
            note += &lines;
        }
        let mut disk = Disk::new(&self.folder);
        disk.replace(&self.folder.checkpoint(), note.as_bytes(), 0o644)?;
        disk.sync()?;
        self.unfinished = false;
        Ok(())
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
