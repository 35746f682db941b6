//! `vitrine enrol`

use super::Outcome;
use crate::cli::Enrol;
use crate::enrol::first::{self, Wanted};
use crate::enrol::plan::Plan;
use crate::enrol::set::Set;
use crate::enrol::time::Time;
use crate::enrol::{folder, foreign, rotate};
use crate::out;
use serde_json::json;
use std::path::Path;
use vitrine_attest::pe::authenticode;
use vitrine_attest::{Error, Result, Sha256};

/// Largest image that is read, in bytes.
const IMAGE_LIMIT: u64 = 2 << 30;
/// Largest file of signature lists that is read, in bytes: the 4,096 entries that we take have 192 KiB as digests.
const LISTS_LIMIT: u64 = 1 << 20;

pub fn run(args: &Enrol) -> Result<Outcome> {
    let time = args.time.as_deref().map(Time::parse).transpose()?;
    let plan = match &args.rotate_from {
        Some(old) => rotation(args, old, time)?,
        None => first::plan(&Set::read(&args.keys, args.enrolled.as_deref())?, &wanted(args, time)?)?,
    };
    folder::write(&args.out, &plan.files)?;
    let names: Vec<&str> = plan.files.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!("{} files in {}\n{}", names.len(), args.out.display(), plan.states_text());
    Outcome::new(text, &json!({ "out": args.out.display().to_string(), "files": names, "states": plan.states }))
}

fn rotation(args: &Enrol, old: &Path, time: Option<Time>) -> Result<Plan> {
    let time = time.ok_or_else(|| {
        Error::input(
            "a rotation has no time stamp, and firmware takes only updates that are later than those before",
            "give today's date with --time 2026-11-23",
        )
    })?;
    rotate::plan(&Set::read(old, args.enrolled.as_deref())?, &Set::read(&args.keys, None)?, time)
}

fn wanted(args: &Enrol, time: Option<Time>) -> Result<Wanted> {
    Ok(Wanted {
        also_db: args.also_db.iter().map(|path| lists(path)).collect::<Result<_>>()?,
        also_kek: args.also_kek.iter().map(|path| lists(path)).collect::<Result<_>>()?,
        dbx: args.dbx.as_deref().map(lists).transpose()?,
        revoke: args.revoke.iter().map(|what| digest(what)).collect::<Result<_>>()?,
        time,
    })
}

fn lists(path: &Path) -> Result<Vec<u8>> {
    foreign::signature_lists(&out::read(path, LISTS_LIMIT)?).map_err(|e| e.within(path.display()))
}

/// An Authenticode digest in hex, or the image that has it.
fn digest(what: &str) -> Result<Sha256> {
    let text = what.strip_prefix("sha256:").unwrap_or(what);
    if let Ok(digest) = text.parse::<Sha256>() {
        return Ok(digest);
    }
    let image = out::read(Path::new(what), IMAGE_LIMIT).map_err(|e| Error {
        hint: "give --revoke an image, or the 64 hex digits of its Authenticode digest".into(),
        ..e
    })?;
    authenticode(&image).map_err(|e| e.within(what))
}
