//! What others say about a release: that it is revoked (V30), that it was built again (V31).
//!
//! Read before a server is asked. What cannot be understood stays here as a reason for its check to fail: a revocation that
//! is overlooked would let the release pass.

use crate::files;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vitrine_attest::dsse::{Envelope, ENVELOPE_LIMIT};
use vitrine_attest::entry::Entry;
use vitrine_attest::rebuild_verdict::RebuildVerdict;
use vitrine_attest::revocation::Revocation;
use vitrine_attest::{Error, Result};

/// Most files of one kind.
const FILES_LIMIT: usize = 4096;

/// None: the person gave no such list.
#[derive(Debug, Clone, Default)]
pub struct Published {
    pub revocations: Option<Arc<[Given<Revocation>]>>,
    pub rebuilds: Option<Arc<[Given<RebuildVerdict>]>>,
}

/// One file.
#[derive(Debug)]
pub struct Given<P> {
    pub name: String,
    /// The envelope, whose signatures nobody has looked at yet, and what it says; or why it cannot be understood.
    pub said: std::result::Result<(Envelope, P), String>,
}

impl Published {
    /// Files, and folders of files that end in `.json`.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn read(revocations: &[PathBuf], rebuilds: &[PathBuf]) -> Result<Self> {
        let revocation = |entry| match entry {
            Entry::Revocation(statement) => Ok(statement.predicate),
            other => Err(other),
        };
        let rebuild = |entry| match entry {
            Entry::RebuildVerdict(statement) => Ok(statement.predicate),
            other => Err(other),
        };
        Ok(Self { revocations: all(revocations, revocation)?, rebuilds: all(rebuilds, rebuild)? })
    }
}

type Sort<P> = fn(Entry) -> std::result::Result<P, Entry>;

fn all<P>(paths: &[PathBuf], sort: Sort<P>) -> Result<Option<Arc<[Given<P>]>>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut found = vec![];
    for path in paths {
        found.extend(files_of(path)?);
    }
    if found.len() > FILES_LIMIT {
        let what = format!("{} files of one kind, more than {FILES_LIMIT}", found.len());
        return Err(Error::input(what, "give only those that are about your release"));
    }
    let given = found.iter().map(|path| {
        let said = understood(&files::read(path, ENVELOPE_LIMIT)?, sort);
        Ok(Given { name: path.display().to_string(), said })
    });
    given.collect::<Result<Vec<_>>>().map(|given| Some(given.into()))
}

fn understood<P>(bytes: &[u8], sort: Sort<P>) -> std::result::Result<(Envelope, P), String> {
    let envelope = Envelope::from_json(bytes).map_err(|e| e.what)?;
    let entry = Entry::of(&envelope).map_err(|e| e.what)?;
    let said = sort(entry).map_err(|other| format!("it is a {}", other.kind()))?;
    Ok((envelope, said))
}

/// The file itself, or the files of a folder that are read.
///
/// # Errors
/// When the folder cannot be read.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        folder(path)
    } else {
        Ok(vec![path.to_owned()])
    }
}

/// Verdicts of rebuilds among what a server has handed out. They count by whose signatures they have, as files do.
pub fn rebuilds_among(others: &[Envelope]) -> Option<Arc<[Given<RebuildVerdict>]>> {
    let given = others.iter().filter_map(|envelope| {
        let said = match Entry::of(envelope) {
            Ok(Entry::RebuildVerdict(statement)) => Ok((envelope.clone(), statement.predicate)),
            Ok(_) => return None,
            Err(e) => Err(e.what),
        };
        Some(Given { name: "handed out by the server".into(), said })
    });
    let given: Vec<_> = given.collect();
    (!given.is_empty()).then(|| given.into())
}

/// In the order of names, so that a report is the same each time.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Error::input(format!("{}: {e}", path.display()), "check the folder's name");
    let mut files = vec![];
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
