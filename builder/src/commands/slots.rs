//! `vitrine slots`

use super::export::image_of;
use super::Outcome;
use crate::cli::{Judging, Slots, SlotsAction};
use crate::progress::Progress;
use crate::slots::{
    activate, install, rollback, Access, Did, Floor, Judged, Place, Report, Revocations, Shelf, Source,
};
use crate::slots::{Trust, Unknown};
use crate::{keys, out};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::calendar::Date;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

/// Largest key file that is read, in bytes.
const KEY_LIMIT: u64 = 64 << 10;

pub fn run(args: &Slots, progress: &Progress) -> Result<Outcome> {
    match &args.action {
        SlotsAction::Status(args) => status(&args.judging),
        SlotsAction::Install(args) => change(&args.judging, None, progress, |place, trust, shelf| {
            install(place, shelf, &release(&args.build, args.statement.as_deref(), trust)?)
        }),
        SlotsAction::Activate(args) => change(&args.judging, args.min_seq, progress, |place, _, shelf| {
            activate(place, shelf, if args.replace { Unknown::Replace } else { Unknown::Refuse })
        }),
        SlotsAction::Rollback(args) => change(&args.judging, None, progress, |place, _, shelf| rollback(place, shelf)),
    }
}

fn status(args: &Judging) -> Result<Outcome> {
    let place = Place::open(&args.folder, Access::Look)?;
    let trust = trust(args, &place, Floor::read(&place.floor())?)?;
    let report = Report::of(&place, &Shelf::read(&place, &trust)?, &trust);
    let code = if report.is_good() { 0 } else { 1 };
    Ok(Outcome { code, ..Outcome::new(report.text(), &report)? })
}

/// Revocations are written down first: a refusal does not make them forgotten. The floor is raised by a success only.
fn change(
    args: &Judging,
    min_seq: Option<u64>,
    progress: &Progress,
    step: impl FnOnce(&Place, &Trust, &Shelf) -> Result<(Did, String)>,
) -> Result<Outcome> {
    let place = Place::open(&args.folder, Access::Change)?;
    let floor = Floor::read(&place.floor())?;
    let mut trust = trust(args, &place, floor)?;
    trust.revocations.keep(&place.revocations(), &trust.keys)?;
    trust.min_seq = floor.min_seq.max(min_seq.unwrap_or(0));
    progress.step(&format!("check {}", args.folder.display()));
    let (did, slot) = step(&place, &trust, &Shelf::read(&place, &trust)?)?;
    floor.raise(min_seq, &place.floor())?;
    let report = Report::of(&place, &Shelf::read(&place, &trust)?, &trust);
    let text = format!("slot {slot}: {}\n\n{}", words(did), report.text());
    Outcome::new(text, &json!({ "did": did, "slot": slot, "status": report }))
}

fn words(did: Did) -> &'static str {
    match did {
        Did::Installed => "installed; `vitrine slots activate` makes machines start it",
        Did::Restated => "the same image, with its later statement",
        Did::Activated => "active: machines that start from now on start it",
        Did::RolledBack => "active again: machines that start from now on start it",
        Did::Nothing => "nothing to do",
    }
}

fn trust(args: &Judging, place: &Place, floor: Floor) -> Result<Trust> {
    let keys = args.key.iter().map(|path| key(path)).collect::<Result<_>>()?;
    let revocations = Revocations::read(&args.revocation, &place.revocations())?;
    let enrolled = args.secure_boot.as_deref().map(keys::variables).transpose()?;
    Ok(Trust { keys, today: today()?, min_seq: floor.min_seq, revocations, enrolled })
}

fn key(path: &Path) -> Result<NoteKey> {
    NoteKey::from_file(&out::read(path, KEY_LIMIT)?).map_err(|e| e.within(path.display()))
}

fn today() -> Result<Date> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since.and_then(|since| Date::of_seconds(since.as_secs())).ok_or_else(|| {
        Error::host("this computer's clock stands before 1970 or after 9999", "set the clock: releases have a last day")
    })
}

/// Image and statement of an output folder, or of files. What is neither is bad input, and no release that is refused.
fn release(build: &Path, statement: Option<&Path>, trust: &Trust) -> Result<Judged> {
    let image = image_of(build)?;
    let statement = statement.map_or_else(|| image.with_file_name(out::STATEMENT), PathBuf::from);
    let source = Source::read(&image, &statement)?;
    if source.image.is_none() {
        return Err(Error::input(
            format!("{} is not there", image.display()),
            "give the folder of `vitrine build --out`",
        ));
    }
    let Some(bytes) = &source.statement else {
        let what = format!("there is no statement {}", statement.display());
        return Err(Error::input(what, "give the release's `release.dsse.json` with --statement"));
    };
    Envelope::from_json(bytes).map_err(|e| e.within(statement.display()))?;
    Ok(Judged::of(source, trust))
}
