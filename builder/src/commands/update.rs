//! `vitrine update`

use super::lock::debian;
use super::sources::mirrors;
use super::Outcome;
use crate::archive::{self, Mirrors};
use crate::cli::Update as Args;
use crate::lock::{Lock, Locked};
use crate::out::{self, Out};
use crate::pipeline;
use crate::programs;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::steps::Workshop;
use crate::store::Store;
use crate::update::{Changes, Comparison};
use serde_json::json;
use std::path::Path;
use vitrine_attest::{Error, Result};

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let debian = debian(&args.recipe, &args.set.set)?;
    // of a toolchain there is no image to compare: then this says so
    let recipe = args.compare.as_ref().map(|_| Recipe::load(&args.recipe, &args.set.set)).transpose()?;
    let path = args.lock.clone().unwrap_or_else(|| Lock::path_for(&args.recipe));
    let old = Lock::load(&path)?;
    let found = Mirrors::find(&args.mirrors.mirror)?;
    let store = Store::open(None)?;
    let new = archive::make_lock(&debian, &found, &store, &args.keyring, progress)?;
    refuse_older(&old, &new)?;
    let changes = Changes::between(&old, &new);
    let comparison = match (&args.compare, &recipe) {
        (Some(dir), Some(recipe)) if !changes.none() => {
            Some(compare(args, dir, recipe, (&old, &new), &store, progress)?)
        }
        _ => None,
    };
    let written = !args.check && !changes.none();
    if written {
        new.save(&path)?;
    }
    let path = path.display().to_string();
    let head = match (changes.none(), written) {
        (true, _) => format!("{path} is up to date\n"),
        (false, true) => format!("{path} is moved\n"),
        (false, false) => format!("{path} can be moved\n"),
    };
    let compared = comparison.as_ref().map_or(String::new(), ToString::to_string);
    let json = json!({ "lock": path, "written": written, "changes": changes, "comparison": comparison });
    let code = u8::from(args.check && !changes.none());
    Ok(Outcome { code, ..Outcome::new(format!("{head}{changes}{compared}"), &json)? })
}

/// A mirror that holds an old state back must not undo updates.
fn refuse_older(old: &Lock, new: &Lock) -> Result<()> {
    match archive::older_release(old, new) {
        None => Ok(()),
        Some((suite, before, now)) => Err(Error::host(
            format!("every mirror is behind the lock: its release file of {suite} is of {before}, theirs of {now}"),
            "name a mirror that is up to date with --mirror URL; to go back on purpose, use `vitrine lock`",
        )),
    }
}

/// Builds the new image first: if that fails, the command does. The old one may no longer be to be had.
fn compare(
    args: &Args,
    dir: &Path,
    recipe: &Recipe,
    (old, new): (&Lock, &Lock),
    store: &Store,
    progress: &Progress,
) -> Result<Comparison> {
    let before = build(args, &dir.join("old"), recipe, old, store, progress);
    build(args, &dir.join("new"), recipe, new, store, progress).map_err(|e| e.within("the new image"))?;
    match before {
        Ok(()) => Comparison::of(&dir.join("old"), &dir.join("new")),
        Err(e) => Ok(Comparison::without(&e.what)),
    }
}

fn build(args: &Args, out: &Path, recipe: &Recipe, lock: &Lock, store: &Store, progress: &Progress) -> Result<()> {
    let locked = Locked::new(recipe.clone(), lock.clone())?;
    let programs = programs::load(&programs::folder(args.programs.as_deref())?, &recipe.image.programs)?;
    let mirrors = mirrors(&args.mirrors.mirror, &args.snapshots.snapshot, lock)?;
    archive::fetch(&locked, Some(&mirrors), store, progress)?;
    let out = Out::begin(out)?;
    progress.step(&format!("build {}", out.path(out::UNSIGNED).display()));
    let with = Workshop { store, programs: &programs, compiled_from: &[], progress }; // no statement is made
    pipeline::unsigned(locked, &with, &out).map(|_| ())
}
