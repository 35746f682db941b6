//! What several verbs need: recipe with lock, packages in the store, programs.

use crate::archive::{self, Mirrors};
use crate::cli::InputOptions;
use crate::lock::{Lock, Locked};
use crate::programs;
use crate::progress::Progress;
use crate::recipe::{Disk, Recipe, Source};
use crate::store::Store;
use crate::toolchain::Record;
use crate::vendor::{self, Vendored};
use std::path::Path;
use vitrine_attest::statement::Input;
use vitrine_attest::{Blame, Result};
use vitrine_initramfs::Program;

/// Everything a build reads.
#[derive(Debug)]
pub struct Sources {
    pub locked: Locked,
    pub store: Store,
    pub programs: Vec<Program>,
    /// What the programs were compiled from; none when some host did it.
    pub record: Option<Record>,
}

impl Sources {
    /// Reads recipe and lock, and brings the packages into the store.
    pub fn gather(recipe: &Path, inputs: &InputOptions, progress: &Progress) -> Result<Self> {
        Self::gather_from(&Disk, recipe, inputs, progress)
    }

    /// [`Self::gather`] with a word on how the recipe's files are read.
    pub fn gather_from(source: &dyn Source, recipe: &Path, inputs: &InputOptions, progress: &Progress) -> Result<Self> {
        let lock = inputs.lock.clone().unwrap_or_else(|| Lock::path_for(recipe));
        let recipe = Recipe::load_from(source, recipe, &inputs.set.set)?;
        let locked = Locked::new(recipe, Lock::load(&lock)?)?;
        let folder = programs::folder(inputs.programs.as_deref())?;
        let programs = programs::load(&folder, &locked.recipe().image.programs)?;
        let record = checked(Record::beside(&folder)?, &programs, progress)?;
        let store = Store::open(None)?;
        let mirrors = match inputs.offline {
            true => None,
            false => Some(mirrors(&inputs.mirrors.mirror, &inputs.snapshots.snapshot, locked.lock())?),
        };
        archive::fetch(&locked, mirrors.as_ref(), &store, progress)?;
        Ok(Self { locked, store, programs, record })
    }

    /// Everything from an archive of `vitrine vendor`: its packages go into the store, nothing is asked of the network.
    pub fn vendored(archive: &Path, set: &[(String, String)], progress: &Progress) -> Result<Self> {
        let store = Store::open(None)?;
        progress.step(&format!("read {}", archive.display()));
        let mut vendored = vendor::open(archive, &store, vendor::Part::Image)?;
        note_version(&vendored, progress);
        let within = |e: vitrine_attest::Error| e.within(archive.display());
        let recipe = vendored.recipe(set).map_err(within)?;
        let record = vendored.record().map_err(within)?;
        let programs = vendored.programs(&recipe.image.programs).map_err(within)?;
        let record = checked(record, &programs, progress).map_err(within)?;
        let locked = Locked::new(recipe, vendored.lock).map_err(within)?;
        Ok(Self { locked, store, programs, record })
    }

    /// Toolchain, sources and crates of the programs, as inputs of a statement; nothing of a host's build.
    pub fn compiled_from(&self) -> Vec<Input> {
        self.record.as_ref().map_or(vec![], |record| record.inputs().into())
    }
}

/// Another version of this program may make other bytes.
pub fn note_version(vendored: &Vendored, progress: &Progress) {
    let (made_by, own) = (&vendored.manifest.vitrine, env!("CARGO_PKG_VERSION"));
    if made_by != own {
        progress.note(&format!("the archive was made by vitrine {made_by}, this is {own}: its bytes may differ"));
    }
}

/// The record has to fit the programs; without one they are a host's, and the build says so.
fn checked(record: Option<Record>, programs: &[Program], progress: &Progress) -> Result<Option<Record>> {
    match &record {
        Some(record) => record.check(programs)?,
        None => progress.note("the programs are a host's build: others get these bytes by `vitrine compile` only"),
    }
    Ok(record)
}

/// Mirrors with dated copies behind them, which do without a mirror.
pub fn mirrors(mirrors: &[String], snapshots: &[String], lock: &Lock) -> Result<Mirrors> {
    let snapshots = archive::named_snapshots(snapshots);
    let found = match Mirrors::find(mirrors) {
        Err(e) if e.blame == Blame::Host && !snapshots.is_empty() => Mirrors::default(),
        found => found?,
    };
    found.with_snapshots(&snapshots, lock)
}
