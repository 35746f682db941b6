//! `vitrine-verify anchor`

mod evm;
mod ots;

use super::Done;
use crate::beacon;
use crate::cli::{Anchor, AnchorAction};
use crate::{anchor, files};
use std::path::Path;
use vitrine_attest::note::{Checkpoint, NOTE_LIMIT};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Result;

pub fn run(args: &Anchor) -> Result<Done> {
    match &args.action {
        AnchorAction::OtsExport(args) => ots::export(args),
        AnchorAction::OtsAdd(args) => ots::add(args),
        AnchorAction::OtsCheck(args) => ots::check(args),
        AnchorAction::EvmDeploy(_) => evm::deploy(),
        AnchorAction::EvmCall(args) => evm::call(args),
        AnchorAction::EvmQuery(args) => evm::query(args),
        AnchorAction::EvmCheck(args) => evm::check(args),
    }
}

/// A checkpoint's file, and what stands in it.
fn read(path: &Path, keys: Option<&[NoteKey]>) -> Result<(Vec<u8>, Checkpoint)> {
    let bytes = files::read(path, NOTE_LIMIT)?;
    let checkpoint = anchor::checkpoint(&bytes, keys).map_err(|e| e.within(path.display()))?;
    Ok((bytes, checkpoint))
}

/// Keys of logs in a file.
fn keys(path: &Path) -> Result<Vec<NoteKey>> {
    beacon::keys(&files::read(path, beacon::KEYS_FILE_LIMIT)?).map_err(|e| e.within(path.display()))
}

/// The log by its name, as a person may see it.
fn named(checkpoint: &Checkpoint) -> String {
    format!("{}, {} entries, root {}", checkpoint.origin.escape_debug(), checkpoint.size, checkpoint.root)
}

/// What every check ends with: what it has not judged.
fn not_proven(signed: bool, block: &str) -> String {
    let signature = if signed { "" } else { "who signed the checkpoint (give --key); " };
    format!(
        "not proven: {signature}that {block} is in the chain (compare its hash); that what the log says is true; what a server runs\n"
    )
}
