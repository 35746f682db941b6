//! What the programs are compiled from, as members of an archive.

use super::manifest::{Manifest, Member};
use super::read::{package_name, wrong, HINT};
use super::{CARGO_LOCK, CRATES, PROGRAMS, SOURCE, TOOLCHAIN, TOOLCHAIN_LOCK};
use crate::lock::Lock;
use crate::store::{failed, Store};
use crate::toolchain::{CargoLock, Crate, Ingredients, Record, RECORD};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use vitrine_attest::{Error, Result, Sha256};

/// `compiler/crates/serde-1.0.228.crate`
fn crate_name(one: &Crate) -> String {
    format!("{CRATES}{}.crate", one.label())
}

/// All crates of a `Cargo.lock`, by their names in an archive.
pub(super) fn crates(cargo_lock: &[u8]) -> Result<BTreeMap<String, Sha256>> {
    let all = CargoLock::parse(cargo_lock).and_then(|lock| lock.all()).map_err(artefact)?;
    Ok(all.iter().map(|one| (crate_name(one), one.sha256)).collect())
}

/// An archive makes the programs that it holds, or none.
///
/// # Errors
/// Blame Input.
pub(super) fn refuse_others(ingredients: &Ingredients, record: Option<&Record>) -> Result<()> {
    let record = record.ok_or_else(|| {
        let what = "the programs are a host's build: no toolchain makes them again";
        Error::input(what, "make them with `vitrine compile LOCK --out DIR`, and give --programs DIR")
    })?;
    ingredients.check(record)
}

/// The members that are held in memory.
pub(super) fn files(ingredients: &Ingredients) -> Result<BTreeMap<String, Vec<u8>>> {
    let sources = ingredients.sources.files.iter().map(|(path, bytes)| (format!("{SOURCE}{path}"), bytes.clone()));
    let mut files: BTreeMap<_, _> = sources.collect();
    files.insert(CARGO_LOCK.into(), ingredients.pinned.clone());
    files.insert(TOOLCHAIN_LOCK.into(), ingredients.lock.to_toml()?.into_bytes());
    Ok(files)
}

/// Packages and crates.
pub(super) fn stored(ingredients: &Ingredients, store: &Store) -> Result<Vec<Member>> {
    let package = |p| Member { name: package_name(TOOLCHAIN, p), size: p.size, sha256: p.sha256 };
    let mut members: Vec<Member> = ingredients.lock.packages.iter().map(package).collect();
    for one in &ingredients.crates {
        let gone =
            || Error::host(format!("crate {} is no longer in the store", one.label()), "run the same command again");
        let path = store.path(&one.sha256).ok_or_else(gone)?;
        let size = fs::metadata(&path).map_err(|e| failed("stored file cannot be read", &path, &e))?.len();
        members.push(Member { name: crate_name(one), size, sha256: one.sha256 });
    }
    Ok(members)
}

/// What the members make, when there are such.
///
/// # Errors
/// Blame Artefact when something is missing or too much: the sources say which crates are needed, the record of the
/// programs says the hashes of all three.
pub(super) fn of(
    manifest: &Manifest,
    files: &BTreeMap<String, Vec<u8>>,
    lock: Option<Lock>,
) -> Result<Option<Ingredients>> {
    if !manifest.members.iter().any(|member| member.name.starts_with(super::COMPILER)) {
        return Ok(None);
    }
    let lock = lock.ok_or_else(|| wrong(TOOLCHAIN_LOCK, "is missing"))?;
    let pinned = files.get(CARGO_LOCK).ok_or_else(|| wrong(CARGO_LOCK, "is missing"))?.clone();
    let source = |(name, bytes): (&String, &Vec<u8>)| Some((name.strip_prefix(SOURCE)?.to_string(), bytes.clone()));
    let ingredients =
        Ingredients::of_files(lock, files.iter().filter_map(source).collect(), pinned).map_err(artefact)?;
    let needed: BTreeSet<String> = ingredients.crates.iter().map(crate_name).collect();
    let there =
        manifest.members.iter().filter(|member| member.name.starts_with(CRATES)).map(|m| m.name.clone()).collect();
    if let Some(name) = needed.symmetric_difference(&there).next() {
        let why = if there.contains(name) {
            "is needed by none of the programs"
        } else {
            "is missing, though a program needs it"
        };
        return Err(wrong(name, why));
    }
    let name = format!("{PROGRAMS}{RECORD}");
    let record = files.get(&name).ok_or_else(|| wrong(&name, "is missing"))?;
    Record::parse(record).and_then(|record| ingredients.check(&record)).map_err(artefact)?;
    Ok(Some(ingredients))
}

/// What is wrong in an archive is no mistake of who reads it.
fn artefact(error: Error) -> Error {
    Error::artefact(error.what, HINT)
}
