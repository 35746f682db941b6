//! Revocations: those that are given, and those that were given before and are kept in the folder.
//!
//! As V30 of the verifier has it: one counts when a release key has signed it, whatever its date is. One that a stranger has
//! signed is ignored, else anybody could revoke anything. What cannot be understood stops the command, since it may be one.

use super::refusal::Refusal;
use super::write::staged;
use crate::out::{self, cannot};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use vitrine_attest::dsse::{signers, Envelope, ENVELOPE_LIMIT};
use vitrine_attest::entry::Entry;
use vitrine_attest::revocation::Revocation;
use vitrine_attest::statement::Release;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// Most files.
const FILES_LIMIT: usize = 4096;

/// By the digest of the canonical envelope.
#[derive(Debug, Default)]
pub struct Revocations(BTreeMap<Sha256, (Envelope, Revocation)>);

impl Revocations {
    /// Files, and folders of files that end in `.json`; `kept` need not be there.
    ///
    /// # Errors
    /// When one cannot be read; Blame Artefact when it cannot be understood.
    pub fn read(given: &[PathBuf], kept: &Path) -> Result<Self> {
        let mut files = vec![];
        for path in given {
            files.extend(if path.is_dir() { folder(path)? } else { vec![path.clone()] });
        }
        if kept.is_dir() {
            files.extend(folder(kept)?);
        }
        if files.len() > FILES_LIMIT {
            let what = format!("{} revocations, more than {FILES_LIMIT}", files.len());
            return Err(Error::input(what, "give only those that are about your releases"));
        }
        let mut all = BTreeMap::new();
        for path in files {
            let (envelope, revocation) = understood(&path)?;
            all.insert(Sha256::of(&envelope.to_json()?), (envelope, revocation));
        }
        Ok(Self(all))
    }

    /// Why this release is not to be used, when one of these is by one of the keys and means it.
    pub fn of(&self, release: &Release, envelope_digest: &Sha256, keys: &[NoteKey]) -> Option<Refusal> {
        let meant = self.0.values().filter(|(_, revocation)| revocation.revokes(release, envelope_digest));
        let signed =
            meant.filter_map(|(envelope, revocation)| Some((signers(envelope, keys).first()?.name(), revocation)));
        let (signer, Revocation { reason, date, text, .. }) = signed.into_iter().next()?;
        Some(Refusal::new("revoked", format!("{reason}, {date}, signed by {signer}: {text}")))
    }

    /// Writes those that one of the keys has signed into the folder, so that nobody has to give them again.
    ///
    /// # Errors
    /// Blame Host when it cannot be written.
    pub fn keep(&self, kept: &Path, keys: &[NoteKey]) -> Result<()> {
        let ours = self.0.iter().filter(|(_, (envelope, _))| !signers(envelope, keys).is_empty());
        let path = |digest: &Sha256| kept.join(format!("{}.json", digest.short()));
        let new: Vec<_> = ours.filter(|(digest, _)| !path(digest).exists()).collect();
        if new.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(kept).map_err(|e| cannot("make folder", kept, &e))?;
        new.into_iter().try_for_each(|(digest, (envelope, _))| staged(&path(digest), &envelope.to_json()?)?.publish())
    }
}

fn understood(path: &Path) -> Result<(Envelope, Revocation)> {
    let bytes = out::read(path, ENVELOPE_LIMIT as u64)?;
    let unreadable = |what: String| {
        let what = format!("{}: revocation-unreadable: {what}", path.display());
        Error::artefact(what, "it may revoke what is installed here: get it again from who signed it")
    };
    let envelope = Envelope::from_json(&bytes).map_err(|e| unreadable(e.what))?;
    match Entry::of(&envelope).map_err(|e| unreadable(e.what))? {
        Entry::Revocation(statement) => Ok((envelope, statement.predicate)),
        other => Err(unreadable(format!("it is a {}", other.kind()))),
    }
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: io::Error| cannot("read folder", path, &e);
    let mut files = vec![];
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(files)
}
