//! A log's new key: for a while both sign, so that everybody has time to learn the new one; then the old one goes.
//!
//! What the log has promised and published has to be signed by a key that stays, or nobody could read it as this log's: the
//! newest checkpoint is signed anew in between ([`super::Writer::refresh`]).

use super::config::{new_key, Config};
use super::disk::{self, Disk};
use super::{index, Folder, Place};
use std::path::Path;
use vitrine_attest::note::{Note, NOTE_LIMIT};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

/// Makes a second key. From the next checkpoint on both sign; refresh the log.
///
/// # Errors
/// When a change of keys is under way already, another writer is at work, or the disk fails.
pub fn begin_rotation(path: &Path) -> Result<NoteKey> {
    let folder = Folder::new(path);
    let mut config = Config::read(&folder)?;
    let _lock = disk::lock(&folder)?;
    if config.keys.len() > 1 {
        return Err(Error::input("two keys sign already", "end that change first with `log rotate-key --retire`"));
    }
    let number = (1..).map(|n| format!("log-{n}.key")).find(|name| !folder.path().join(name).exists());
    let mut disk = Disk::new(&folder);
    let key = new_key(&folder, &mut disk, &config.origin, &number.unwrap_or_default())?;
    disk.sync()?;
    config.keys.push(key);
    config.write(&folder, &mut disk)?;
    disk.sync()?;
    config.public()?.pop().ok_or_else(|| Error::bug("the new key is not there"))
}

/// Ends a change of keys: the older key signs no more, and its private half is removed.
///
/// # Errors
/// When there is one key only, the newer one has not signed yet, another writer is at work, or the disk fails.
pub fn retire(path: &Path) -> Result<NoteKey> {
    let folder = Folder::new(path);
    let mut config = Config::read(&folder)?;
    let _lock = disk::lock(&folder)?;
    if config.keys.len() < 2 {
        return Err(Error::input("there is one key only", "begin a change of keys with `log rotate-key`"));
    }
    let mut staying = config.public()?;
    let public = staying.remove(0);
    let place = Place::of_folder(path)?;
    let missing = |what: &str| Error::artefact(format!("there is no {what}"), "run `vitrine-verify log fsck`");
    let checkpoint = place.get("checkpoint", NOTE_LIMIT)?.ok_or_else(|| missing("public checkpoint"))?;
    let index = place.get(index::NOTE, NOTE_LIMIT)?.map(|note| (index::NOTE, note));
    let promised = [("commit record", place.promise(&folder)?), ("public checkpoint", checkpoint)];
    for (what, note) in promised.into_iter().chain(index) {
        let note = Note::parse(&note);
        let signers = note.and_then(|note| Ok(note.signers(&staying)?.len()));
        if signers != Ok(staying.len()) {
            return Err(Error::input(
                format!("the newer key has not signed the {what} yet"),
                "run `vitrine-verify log refresh`, then this again",
            ));
        }
    }
    let old = config.keys.remove(0);
    let mut disk = Disk::new(&folder);
    config.write(&folder, &mut disk)?;
    disk.sync()?;
    let file = folder.path().join(&old.file);
    std::fs::remove_file(&file).map_err(|e| disk::failed(&file, &e))?;
    disk::sync_folder(folder.path())?;
    Ok(public)
}
