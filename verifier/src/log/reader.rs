//! Reads a log, from its folder or over HTTP. Whatever comes from there is checked against a checkpoint that was signed.

use super::commit::{Commit, COMMIT_LIMIT};
use super::{Config, Folder};
use crate::files;
use crate::server::{agent, body};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use vitrine_attest::merkle::{leaf, root_of_path};
use vitrine_attest::note::{Checkpoint, Note, NOTE_LIMIT};
use vitrine_attest::tile::{entries, hashes, Resource, Tile, Tree, BUNDLE_LIMIT, TILE_BYTES};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// For one file of a log.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where a log lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// What a web server serves.
    Folder(PathBuf),
    /// Its address without a final slash.
    Url(String, Agent),
    /// A bucket, with the credentials of a writer.
    #[cfg(feature = "object-storage")]
    Bucket(super::bucket::Bucket),
}

impl Place {
    /// A folder (that of a log, or its public part), or an address.
    ///
    /// # Errors
    /// When the address is none.
    pub fn of(text: &str) -> Result<Self> {
        if !text.contains("://") {
            return Self::of_folder(Path::new(text));
        }
        let https = cfg!(feature = "https") && text.starts_with("https://");
        if !text.starts_with("http://") && !https {
            return Err(Error::input(
                format!("{text}: this program speaks http:// only"),
                "everything in a log is signed: use http://, a copy of its files in a folder, or a build with `--features https`",
            ));
        }
        Ok(Self::Url(text.trim_end_matches('/').into(), agent()))
    }

    /// The log of this folder, wherever its files lie, or its public part.
    ///
    /// # Errors
    /// When the folder's own file cannot be read.
    pub fn of_folder(path: &Path) -> Result<Self> {
        let folder = Folder::new(path);
        let bucket = match folder.config().exists() {
            true => Config::read(&folder)?.bucket,
            false => None,
        };
        match bucket {
            #[cfg(feature = "object-storage")]
            Some(at) => super::bucket::Bucket::open(&at, &folder).map(Self::Bucket),
            #[cfg(not(feature = "object-storage"))]
            Some(_) => Err(super::config::no_object_storage(&folder)),
            None if folder.public().is_dir() => Ok(Self::Folder(folder.public())),
            None => Ok(Self::Folder(path.to_owned())),
        }
    }

    /// The bytes of a file of the log, at most `limit`. None: there is no such file.
    pub(super) fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(path);
                match path.try_exists() {
                    Ok(false) => Ok(None),
                    _ => files::read(&path, limit).map(Some),
                }
            }
            Self::Url(base, agent) => {
                let url = format!("{base}/{path}");
                let failed =
                    |e: &ureq::Error| Error::host(format!("{url}: {e}"), "check the log's address, then try again");
                let request = agent.get(&url).config().timeout_global(Some(DEADLINE)).build();
                let mut response = request.call().map_err(|e| failed(&e))?;
                match response.status().as_u16() {
                    200 => {
                        // a full tile has exactly its limit, 8192 bytes
                        body(&mut response, limit).map(Some).map_err(|e| match e {
                            ureq::Error::BodyExceedsLimit(_) => unusable(format!("{url} has more than {limit} bytes")),
                            e => failed(&e),
                        })
                    }
                    404 | 410 => Ok(None),
                    status => Err(Error::host(format!("{url}: status {status}"), "ask the log's operator")),
                }
            }
            #[cfg(feature = "object-storage")]
            Self::Bucket(bucket) => Ok(bucket.get(path, limit)?.map(|object| object.bytes)),
        }
    }

    /// The note in the commit record of the log of this folder.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(super) fn promise(&self, folder: &Folder) -> Result<Vec<u8>> {
        match self {
            #[cfg(feature = "object-storage")]
            Self::Bucket(bucket) => super::bucket::promise(bucket),
            _ => {
                let path = folder.commit();
                let wrong = |why: String| {
                    Error::artefact(format!("{}: {why}", path.display()), "run `vitrine-verify log fsck`")
                };
                Ok(Commit::parse(&files::read(&path, COMMIT_LIMIT)?).map_err(wrong)?.note.into_bytes())
            }
        }
    }

    /// A tile or a bundle of entries; of one that is no longer there as a part, the whole one (C2SP tlog-tiles, "Partial Tiles").
    ///
    /// # Errors
    /// When it is not there, cannot be had, or is longer than one can be.
    pub fn resource(&self, resource: Resource) -> Result<(Resource, Vec<u8>)> {
        let (limit, full) = match resource {
            Resource::Hashes(tile) => (TILE_BYTES, Resource::Hashes(Tile { width: 256, ..tile })),
            Resource::Entries(tile) => (BUNDLE_LIMIT, Resource::Entries(Tile { width: 256, ..tile })),
        };
        if let Some(bytes) = self.get(&resource.path(), limit)? {
            return Ok((resource, bytes));
        }
        if full != resource {
            if let Some(bytes) = self.get(&full.path(), limit)? {
                return Ok((full, bytes));
            }
        }
        Err(Error::artefact(
            format!("the log does not have {resource}, which its checkpoint promises"),
            "the log is damaged, or holds something back: keep its checkpoint, and ask its operator",
        ))
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// As for [`Self::resource`].
    pub fn hashes(&self, tile: Tile) -> Result<Vec<Sha256>> {
        let (found, bytes) = self.resource(Resource::Hashes(tile))?;
        let (Resource::Hashes(whole) | Resource::Entries(whole)) = found;
        let mut hashes = hashes(whole, &bytes).map_err(unusable)?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }

    /// Entries of a bundle, of which `tile` says where it lies.
    ///
    /// # Errors
    /// As for [`Self::resource`].
    pub fn entries(&self, tile: Tile) -> Result<Vec<Vec<u8>>> {
        let (found, bytes) = self.resource(Resource::Entries(tile))?;
        let (Resource::Hashes(whole) | Resource::Entries(whole)) = found;
        let found = entries(&bytes, whole.width).map_err(unusable)?;
        Ok(found.into_iter().take(usize::from(tile.width)).map(<[u8]>::to_vec).collect())
    }

    /// The tree of its first `size` entries.
    pub fn tree(&self, size: u64) -> Tree<impl FnMut(Tile) -> Result<Vec<Sha256>> + '_> {
        Tree::new(size, |tile| self.hashes(tile))
    }
}

/// A signed state of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The whole note.
    pub note: String,
    pub checkpoint: Checkpoint,
}

impl Snapshot {
    /// The newest checkpoint, which one of `keys` has to have signed under its own name. With no keys its form alone is judged,
    /// and nothing that follows from it is worth anything.
    ///
    /// # Errors
    /// When it cannot be had, or is not signed by the log.
    pub fn read(place: &Place, keys: &[NoteKey]) -> Result<Self> {
        let bytes = place.get("checkpoint", NOTE_LIMIT)?;
        let bytes = bytes.ok_or_else(|| Error::input("there is no checkpoint", "check the log's folder or address"))?;
        let checkpoint = match keys {
            // nobody's word was asked for
            [] => Note::parse(&bytes).and_then(|note| Checkpoint::parse(note.text())),
            keys => Checkpoint::signed(&bytes, keys),
        };
        let checkpoint = checkpoint.map_err(unusable)?;
        let note = String::from_utf8(bytes).map_err(|_| unusable("the checkpoint is no UTF-8".into()))?;
        Ok(Self { note, checkpoint })
    }

    /// An entry, and the path from it to this checkpoint's root, which it was followed along.
    ///
    /// # Errors
    /// When there is no such entry, or what the log gives does not lead to the root.
    pub fn entry(&self, place: &Place, index: u64) -> Result<(Vec<u8>, Vec<Sha256>)> {
        let size = self.checkpoint.size;
        let no_such = || {
            let what = format!("the log has {size} entries, and none of number {index}");
            Error::input(what, "numbers begin at 0")
        };
        let tile = Tile::of_tree(0, index / 256, size).ok_or_else(no_such)?;
        let mut entries = place.entries(tile)?;
        let inside = (index % 256) as usize;
        if inside >= entries.len() {
            return Err(no_such());
        }
        let entry = entries.swap_remove(inside);
        let path = place.tree(size).inclusion(index, size)?;
        if root_of_path(leaf(&entry), index, size, &path) != Some(self.checkpoint.root) {
            return Err(unusable(format!("entry {index} does not lead to the root that the log signed")));
        }
        Ok((entry, path))
    }

    /// The index of the entry with this hash.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn find(&self, place: &Place, leaf: &Sha256) -> Result<Option<u64>> {
        for index in 0..self.checkpoint.size.div_ceil(256) {
            let Some(tile) = Tile::of_tree(0, index, self.checkpoint.size) else { break };
            if let Some(at) = place.hashes(tile)?.iter().position(|hash| hash == leaf) {
                return Ok(Some(index * 256 + at as u64));
            }
        }
        Ok(None)
    }
}

fn unusable(what: String) -> Error {
    Error::artefact(what, "the log is damaged, or lies: keep what it sent, and ask its operator")
}
