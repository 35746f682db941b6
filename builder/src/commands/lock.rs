//! `vitrine lock`

use super::Outcome;
use crate::archive::{self, Mirrors};
use crate::cli::Lock as Args;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::store::Store;
use serde_json::json;
use vitrine_attest::{Result, Sha256};

pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let recipe = Recipe::load(&args.recipe, &args.set.set)?;
    let mirrors = Mirrors::find(&args.mirrors.mirror)?;
    let store = Store::open(None)?;
    let lock = archive::make_lock(&recipe, &mirrors, &store, &args.keyring, progress)?;
    let path = args.out.clone().unwrap_or_else(|| Lock::path_for(&args.recipe));
    lock.save(&path)?;
    let digest = Sha256::of(lock.to_toml()?.as_bytes());
    let bytes: u64 = lock.packages.iter().map(|p| p.size).sum();
    let (count, path) = (lock.packages.len(), path.display().to_string());
    let text = format!("{path}: {count} packages, {} MB, {digest}\n", bytes / 1_000_000);
    Outcome::new(text, &json!({ "lock": path, "packages": count, "bytes": bytes, "sha256": digest }))
}
