//! The files that servers are judged by: read at the beginning, and again when they have changed.

use crate::commands::trust;
use crate::fleet::Sources;
use crate::policy::Policy;
use crate::promise::Promise;
use crate::published::{self, Published};
use crate::roots;
use crate::verdict::Level;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vitrine_attest::ek::Roots;
use vitrine_attest::{Error, Result};

/// What servers of one kind are judged by. Statements are verified once, and roots remember the chains that led to them.
pub struct Grounds {
    pub promises: Vec<Arc<Promise>>,
    pub roots: Option<Roots>,
    pub policy: Policy,
    pub published: Published,
    pub level: Level,
}

impl Grounds {
    fn read(sources: &Sources, shelf: &mut Shelf) -> Result<Self> {
        let policy = trust::policy(sources.policy.as_deref(), sources.log_policy.as_deref())?;
        let proofs = sources.proofs.iter().map(|path| Some(path.as_path())).chain(std::iter::repeat(None));
        let promise = |(statement, proof): (&PathBuf, Option<&Path>)| {
            trust::Papers::read(statement, proof)?.promise(sources.key.as_deref(), &policy)
        };
        Ok(Self {
            promises: sources.statements.iter().zip(proofs).map(promise).collect::<Result<_>>()?,
            roots: sources.ek_roots.as_deref().map(|path| shelf.roots(path)).transpose()?,
            published: {
                let paths = &sources.published;
                Published::read(paths.revocations.as_slice(), paths.rebuild_verdicts.as_slice())?
            },
            level: trust::level(&policy, sources.accept_level)?,
            policy,
        })
    }
}

/// Roots that were read in one pass: kinds that name the same share them, and the chains that led to them.
#[derive(Default)]
struct Shelf(BTreeMap<PathBuf, Roots>);

impl Shelf {
    fn roots(&mut self, path: &Path) -> Result<Roots> {
        if let Some(roots) = self.0.get(path) {
            return Ok(roots.clone());
        }
        let roots = roots::read(path)?;
        self.0.insert(path.to_owned(), roots.clone());
        Ok(roots)
    }
}

/// One file as it was: it is read again only when this differs.
type Stamp = Option<(u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).ok().map(|m| (m.ino(), m.len(), m.mtime(), m.mtime_nsec()))
}

/// Of all files of one kind, with those in folders of roots and of what others say.
fn stamps(sources: &Sources) -> Vec<(PathBuf, Stamp)> {
    let roots = sources.ek_roots.iter().flat_map(|path| roots::files_of(path).unwrap_or_else(|_| vec![path.clone()]));
    let named = sources.statements.iter().chain(&sources.proofs).chain(&sources.key).chain(&sources.policy);
    let named = named.chain(&sources.log_policy).cloned();
    let said = sources.published.revocations.iter().chain(&sources.published.rebuild_verdicts);
    let said = said.flat_map(|path| published::files_of(path).unwrap_or_else(|_| vec![path.clone()]));
    named.chain(roots).chain(said).map(|path| (path.clone(), stamp(&path))).collect()
}

/// One kind, and the files that it was read from.
struct Kept {
    sources: Sources,
    stamps: Vec<(PathBuf, Stamp)>,
    grounds: Arc<Grounds>,
}

/// All kinds of a fleet.
pub struct Library(Vec<Kept>);

/// What became of files that have changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Reread {
    /// They count from now on; the statement of the kind, for people.
    Taken(PathBuf),
    /// What was read before goes on to count, because of this.
    Refused(Error),
}

impl Library {
    /// # Errors
    /// When a file cannot be used: at the beginning, nothing is watched then.
    pub fn read(kinds: &[Sources]) -> Result<Self> {
        let mut shelf = Shelf::default();
        let kept = |sources: &Sources| {
            // first the stamps: what changes while it is read is read again
            let stamps = stamps(sources);
            Ok(Kept { sources: sources.clone(), stamps, grounds: Arc::new(Grounds::read(sources, &mut shelf)?) })
        };
        Ok(Self(kinds.iter().map(kept).collect::<Result<_>>()?))
    }

    pub fn get(&self, kind: usize) -> Arc<Grounds> {
        self.0[kind].grounds.clone()
    }

    /// Reads again what has changed. One that cannot be used is told once, until it changes again.
    pub fn refresh(&mut self) -> Vec<Reread> {
        let (mut told, mut shelf) = (vec![], Shelf::default());
        for kept in &mut self.0 {
            let stamps = stamps(&kept.sources);
            if stamps == kept.stamps {
                continue;
            }
            kept.stamps = stamps;
            told.push(match Grounds::read(&kept.sources, &mut shelf) {
                Ok(grounds) => {
                    kept.grounds = Arc::new(grounds);
                    Reread::Taken(kept.sources.statements[0].clone())
                }
                Err(error) => Reread::Refused(error),
            });
        }
        told
    }
}
