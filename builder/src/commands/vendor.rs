//! `vitrine vendor`

use super::sources::Sources;
use super::Outcome;
use crate::cli::Vendor as Args;
use crate::progress::Progress;
use crate::recipe::Recorder;
use crate::vendor::Contents;
use serde_json::json;
use vitrine_attest::Result;

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let files = Recorder::default();
    let (recipe, options) = (&args.inputs.recipe, &args.inputs.options);
    let sources = Sources::gather_from(&files, recipe, options, progress)?;
    let programs = (sources.programs.as_slice(), sources.record.as_ref());
    let contents = Contents::gather(&sources.locked, files.into_files(), &options.set.set, programs)?;
    progress.step(&format!("write {}", args.out.display()));
    let (size, sha256) = contents.save(&args.out, &sources.store)?;
    let (path, members) = (args.out.display().to_string(), contents.manifest.members.len() + 1);
    let text =
        format!("{path}: {members} files, {} MB, {sha256}\nlock {}\n", size / 1_000_000, sources.locked.digest());
    let lock = sources.locked.digest();
    Outcome::new(text, &json!({ "archive": path, "files": members, "bytes": size, "sha256": sha256, "lock": lock }))
}
