//! `vitrine-verify log get`

use super::trusted;
use crate::cli::GetArgs;
use crate::commands::Done;
use crate::files;
use crate::log::{Place, Snapshot};
use vitrine_attest::merkle::leaf;
use vitrine_attest::tile::ENTRY_LIMIT;
use vitrine_attest::tlog_proof;
use vitrine_attest::{Error, Result};

pub fn run(args: &GetArgs) -> Result<Done> {
    let place = Place::of(&args.log)?;
    let snapshot = Snapshot::read(&place, &trusted(args.key.as_deref(), &args.log)?)?;
    let index = match (&args.index, &args.leaf, &args.file) {
        (Some(index), _, _) => *index,
        (_, Some(hash), _) => found(&snapshot, &place, hash)?,
        (_, _, Some(path)) => found(&snapshot, &place, &leaf(&files::read(path, ENTRY_LIMIT)?))?,
        (None, None, None) => return Err(Error::input("no entry was named", "give its number, --leaf or --file")),
    };
    let (entry, path) = snapshot.entry(&place, index)?;
    let hint = "choose another place";
    if let Some(file) = &args.proof {
        files::publish(file, tlog_proof::to_text(None, index, &path, &snapshot.note).as_bytes(), hint)?;
    }
    match &args.out {
        Some(file) => {
            files::publish(file, &entry, hint)?;
            Ok(Done::ok(String::new()))
        }
        None if args.proof.is_some() => {
            Ok(Done::ok(format!("entry {index} of {} in {}\n", snapshot.checkpoint.size, snapshot.checkpoint.origin)))
        }
        None => match String::from_utf8(entry) {
            Ok(text) => Ok(Done::ok(text)),
            Err(_) => Err(Error::input("the entry is not text", "write it to a file with --out")),
        },
    }
}

fn found(snapshot: &Snapshot, place: &Place, hash: &vitrine_attest::Sha256) -> Result<u64> {
    snapshot.find(place, hash)?.ok_or_else(|| {
        let what = format!("it is none of the {} entries of {}", snapshot.checkpoint.size, snapshot.checkpoint.origin);
        Error::artefact(what, "append it first, or look in another log")
    })
}
