//! What several verbs need: recipe with lock, packages in the store, programs.

use crate::archive::{self, Mirrors};
use crate::cli::InputOptions;
use crate::lock::{Lock, Locked};
use crate::programs;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::store::Store;
use std::path::Path;
use vitrine_attest::Result;
use vitrine_initramfs::Program;

/// Everything a build reads.
#[derive(Debug)]
pub struct Sources {
    pub locked: Locked,
    pub store: Store,
    pub programs: Vec<Program>,
}

impl Sources {
    /// Reads recipe and lock, and brings the packages into the store.
    pub fn gather(recipe: &Path, inputs: &InputOptions, progress: &Progress) -> Result<Self> {
        let lock = inputs.lock.clone().unwrap_or_else(|| Lock::path_for(recipe));
        let recipe = Recipe::load(recipe, &inputs.set.set)?;
        let locked = Locked::new(recipe, Lock::load(&lock)?)?;
        let folder = programs::folder(inputs.programs.as_deref())?;
        let programs = programs::load(&folder, &locked.recipe().image.programs)?;
        let store = Store::open(None)?;
        let mirrors = match inputs.offline {
            true => None,
            false => Some(Mirrors::find(&inputs.mirrors.mirror)?),
        };
        archive::fetch(&locked, mirrors.as_ref(), &store, progress)?;
        Ok(Self { locked, store, programs })
    }
}
