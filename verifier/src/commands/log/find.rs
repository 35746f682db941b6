//! `vitrine-verify log find`

use super::trusted;
use crate::cli::FindArgs;
use crate::commands::Done;
use crate::log::{find, By, Found, Hit, Place};
use serde_json::json;
use std::fmt::Write as _;
use vitrine_attest::entry::Entry;
use vitrine_attest::event_log::printable;
use vitrine_attest::log_index::Key;
use vitrine_attest::merkle::leaf;
use vitrine_attest::{Error, Result};

pub fn run(args: &FindArgs) -> Result<Done> {
    let place = Place::of(&args.log)?;
    let by = if args.scan { By::Entries } else { By::Index };
    let found = find(&place, &trusted(args.key.as_deref(), &args.log)?, &wanted(args)?, by)?;
    let exit_code = u8::from(found.hits.is_empty());
    let stdout = if args.json { json(&found) } else { text(&found) };
    Ok(Done { stdout, exit_code })
}

fn wanted(args: &FindArgs) -> Result<Key> {
    match (args.digest, &args.name, &args.version, args.leaf) {
        (Some(digest), ..) => Ok(Key::Digest(digest)),
        (_, Some(name), Some(version), _) => Ok(Key::Version(name.clone(), version.clone())),
        (_, Some(name), None, _) => Ok(Key::Name(name.clone())),
        (.., Some(leaf)) => Ok(Key::Leaf(leaf)),
        _ => Err(Error::input("nothing to look for was named", "give --digest, --name or --leaf")),
    }
}

fn json(found: &Found) -> String {
    let entries: Vec<_> = found
        .hits
        .iter()
        .map(|hit| json!({"index": hit.index, "kind": kind(hit).0, "leaf": leaf(&hit.entry), "what": kind(hit).1}))
        .collect();
    let checkpoint = &found.snapshot.checkpoint;
    let all = json!({
        "checkpoint": found.snapshot.note, "entries": entries, "indexed": found.indexed, "log": checkpoint.origin,
        "size": checkpoint.size, "v": 1,
    });
    format!("{all}\n")
}

fn text(found: &Found) -> String {
    let (checkpoint, mut text) = (&found.snapshot.checkpoint, String::new());
    for hit in &found.hits {
        let (kind, what) = kind(hit);
        let _ = writeln!(text, "entry {}: {}", hit.index, printable(format!("{kind} {what}").trim_end()));
    }
    let count = match found.hits.len() {
        0 => "not there".into(),
        1 => "1 entry".into(),
        many => format!("{many} entries"),
    };
    let read = checkpoint.size - found.indexed;
    let _ = writeln!(
        text,
        "{}: {count}, as of {} entries, signed by the log ({} by its index, {read} read)",
        printable(&checkpoint.origin),
        checkpoint.size,
        found.indexed
    );
    text
}

/// The kind of statement, and of a release its image.
fn kind(hit: &Hit) -> (String, String) {
    match Entry::read(&hit.entry) {
        Ok((_, entry)) => {
            let image = match &entry {
                Entry::Release(release) => {
                    format!("{} {}", release.predicate.image.name, release.predicate.image.version)
                }
                _ => String::new(),
            };
            (entry.kind().into(), image)
        }
        Err(_) => ("no statement".into(), format!("({} bytes)", hit.entry.len())),
    }
}
