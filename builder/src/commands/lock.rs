//! `vitrine lock`

use super::Outcome;
use crate::archive::{self, Mirrors};
use crate::cli::Lock as Args;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::recipe::{Debian, Recipe, Toolchain};
use crate::store::Store;
use serde_json::json;
use std::path::Path;
use vitrine_attest::{Error, Result, Sha256};

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let debian = debian(&args.recipe, &args.set.set)?;
    let mirrors = Mirrors::find(&args.mirrors.mirror)?;
    let store = Store::open(None)?;
    let lock = archive::make_lock(&debian, &mirrors, &store, &args.keyring, progress)?;
    let path = args.out.clone().unwrap_or_else(|| Lock::path_for(&args.recipe));
    lock.save(&path)?;
    let digest = Sha256::of(lock.to_toml()?.as_bytes());
    let bytes: u64 = lock.packages.iter().map(|p| p.size).sum();
    let (count, path) = (lock.packages.len(), path.display().to_string());
    let text = format!("{path}: {count} packages, {} MB, {digest}\n", bytes / 1_000_000);
    Outcome::new(text, &json!({ "lock": path, "packages": count, "bytes": bytes, "sha256": digest }))
}

/// The packages of an image's recipe, or of a toolchain's.
pub fn debian(recipe: &Path, set: &[(String, String)]) -> Result<Debian> {
    match Toolchain::load(recipe)? {
        None => Ok(Recipe::load(recipe, set)?.debian),
        Some(_) if !set.is_empty() => {
            Err(Error::input("--set changes the recipe of an image, not of a toolchain", "change the recipe's file"))
        }
        Some(toolchain) => Ok(toolchain.debian),
    }
}
