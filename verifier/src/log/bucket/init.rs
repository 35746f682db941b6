//! A new log in a bucket: its keys stay in the folder, everything else is in the bucket.

use super::client::{authorities, Bucket};
use super::{probe, CHECKPOINT, COMMIT};
use crate::log::commit::Commit;
use crate::log::config::{already, check_origin, new_key, secret_of, BucketAt, Config};
use crate::log::disk::{self, Disk};
use crate::log::Folder;
use std::path::Path;
use vitrine_attest::merkle::root_of_nothing;
use vitrine_attest::{Blame, Error, Result};

/// Makes a log without entries in a bucket, and the folder that this machine needs to append to it. `ca`: PEM certificates, for a
/// store that the web's authorities do not vouch for.
///
/// # Errors
/// When the bucket holds a log, its store cannot keep one, or the folder is one already.
pub fn init(path: &Path, origin: &str, at: BucketAt, witnesses: Option<&[u8]>, ca: Option<&[u8]>) -> Result<Config> {
    check_origin(origin)?;
    let folder = Folder::new(path);
    std::fs::create_dir_all(folder.work()).map_err(|e| disk::failed(&folder.work(), &e))?;
    let _lock = disk::lock(&folder)?;
    if folder.config().exists() || folder.public().exists() {
        return Err(already(&folder));
    }
    let mut disk = Disk::new(&folder);
    if let Some(ca) = ca {
        authorities(ca)?;
        disk.replace(&folder.ca(), ca, 0o644)?;
    }
    let bucket = Bucket::open(&at, &folder)?;
    probe::probe(&bucket)?;
    // one that is there without a log.json was made by an init that ended early: the bucket may have its checkpoint already
    let key = match secret_of(&folder, origin, "log.key")? {
        Some(key) => key,
        None => new_key(&folder, &mut disk, origin, "log.key")?,
    };
    let config = Config::begin(&folder, &mut disk, origin, key, Some(at), witnesses)?;
    disk.sync()?;
    let note = config.checkpoint(&config.secrets(&folder)?, 0, &root_of_nothing())?;
    let commit = Commit { note: note.clone(), stage: None };
    for (name, bytes) in [(COMMIT, commit.to_bytes()), (CHECKPOINT, note.into_bytes())] {
        bucket.create(name, &bytes).map_err(|e| match e.blame {
            Blame::Artefact => Error::input(
                format!("{} is a log already", bucket.name("")),
                "choose another prefix. To append to that log from this machine, copy its folder (log.json, keys, witnesses) from one that does",
            ),
            _ => e,
        })?;
    }
    config.complete(&folder, &mut disk)?;
    Ok(config)
}
