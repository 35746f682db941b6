//! `vitrine vendor`

use super::sources::{self, Sources};
use super::Outcome;
use crate::cli::Vendor as Args;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::recipe::Recorder;
use crate::store::Store;
use crate::toolchain::Ingredients;
use crate::vendor::{Contents, Programs};
use serde_json::json;
use vitrine_attest::Result;

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let files = Recorder::default();
    let (recipe, options) = (&args.inputs.recipe, &args.inputs.options);
    let sources = Sources::gather_from(&files, recipe, options, progress)?;
    let compiler = compiler(args, &sources.store, progress)?;
    let compiler = compiler.as_ref().map(|ingredients| (ingredients, &sources.store));
    let programs = Programs { programs: &sources.programs, record: sources.record.as_ref(), compiler };
    let contents = Contents::gather(&sources.locked, files.into_files(), &options.set.set, programs)?;
    progress.step(&format!("write {}", args.out.display()));
    let (size, sha256) = contents.save(&args.out, &sources.store)?;
    let (path, members) = (args.out.display().to_string(), contents.manifest.members.len() + 1);
    let text =
        format!("{path}: {members} files, {} MB, {sha256}\nlock {}\n", size / 1_000_000, sources.locked.digest());
    let lock = sources.locked.digest();
    Outcome::new(text, &json!({ "archive": path, "files": members, "bytes": size, "sha256": sha256, "lock": lock }))
}

/// Packages and crates of the toolchain that `--toolchain` names, in the store.
fn compiler(args: &Args, store: &Store, progress: &Progress) -> Result<Option<Ingredients>> {
    let Some(lock) = &args.toolchain else { return Ok(None) };
    let options = &args.inputs.options;
    let ingredients = Ingredients::read(Lock::load(lock)?, &args.source)?;
    let mirrors = match options.offline {
        true => None,
        false => Some(sources::mirrors(&options.mirrors.mirror, &options.snapshots.snapshot, &ingredients.lock)?),
    };
    ingredients.gather(Some(&args.source), mirrors.as_ref(), store, progress)?;
    Ok(Some(ingredients))
}
