//! Makes the other slot the one that machines start: forward, or back.

use super::place::{Layout, Place};
use super::refusal;
use super::shelf::{Active, Shelf, Slot};
use super::write::{beside, remove, room, staged, sync};
use super::{netboot, Did};
use crate::out::cannot;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use vitrine_attest::{Error, Result};

/// What to do with an active image that is no slot's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It would be lost.
    Refuse,
    Replace,
}

/// To the newer release. When that is active already, nothing is done.
///
/// # Errors
/// Blame Artefact when it is refused; Input when there is none, or an unknown image would be lost.
pub fn activate(place: &Place, shelf: &Shelf, unknown: Unknown) -> Result<(Did, String)> {
    if let (Active::Unknown(digest), Unknown::Refuse) = (&shelf.active, unknown) {
        let what = format!("what machines start now (SHA-256 {digest}) is the image of no slot, and would be lost");
        return Err(Error::input(what, "install its release as well, or give --replace"));
    }
    let target = match (shelf.active_slot(), shelf.other()) {
        (Some(active), Some(other)) if is_before(other, active) => active,
        (_, Some(other)) => other,
        (Some(active), None) => active,
        (None, None) => {
            return Err(Error::input("no release is installed", "install one with `vitrine slots install`"));
        }
    };
    may_start(target)?;
    let name = target.paths.name.clone();
    if shelf.active_slot().is_some_and(|active| active.paths == target.paths) {
        netboot::tell(place)?; // a command that was killed behind its last step
        return Ok((Did::Nothing, name));
    }
    start(place, shelf, target)?;
    Ok((Did::Activated, name))
}

/// To the release before.
///
/// # Errors
/// Blame Artefact when it is refused; Input when there is none.
pub fn rollback(place: &Place, shelf: &Shelf) -> Result<(Did, String)> {
    let Some(active) = shelf.active_slot() else {
        let hint = "make the newest release the active one with `vitrine slots activate --replace`";
        return Err(Error::input("no slot is active, so there is no release before it", hint));
    };
    let Some(other) = shelf.other() else {
        let what = format!("{} is the only release here: there is no way back", active.title());
        return Err(Error::input(
            what,
            "keep two releases installed: the next `vitrine slots install` leaves this one",
        ));
    };
    if is_before(active, other) {
        let what = format!("{} is active, and {} is newer", active.title(), other.title());
        return Err(Error::input(what, "that is forward: use `vitrine slots activate`"));
    }
    may_start(other)?;
    start(place, shelf, other)?;
    Ok((Did::RolledBack, other.paths.name.clone()))
}

/// A slot whose statement is unknown is before none, and none is before it.
fn is_before(a: &Slot, b: &Slot) -> bool {
    a.seq().zip(b.seq()).is_some_and(|(a, b)| a < b)
}

fn may_start(slot: &Slot) -> Result<()> {
    match slot.judged.refused.is_empty() {
        true => Ok(()),
        false => Err(refusal::error(&slot.title(), &slot.judged.refused)),
    }
}

/// The bytes that were judged are those that are written: who changes the slot's file in between changes nothing.
fn start(place: &Place, shelf: &Shelf, slot: &Slot) -> Result<()> {
    let (Some(image), Some(release)) = (&slot.judged.image, slot.judged.release()) else {
        return Err(Error::bug("a slot without image or statement was let through"));
    };
    let to = shelf.started_from.clone().unwrap_or_else(|| place.active_for(&release.image.name));
    match place.layout {
        Layout::Esp => {
            room(&place.ours(), image.len() as u64)?;
            staged(&to, image)?.publish()
        }
        Layout::Netboot => {
            link(&slot.paths.image, &to)?;
            netboot::tell(place)
        }
    }
}

/// In one step: nobody finds the name missing.
fn link(image: &Path, to: &Path) -> Result<()> {
    let (partial, failed) = (beside(to)?, |e: std::io::Error| cannot("write", to, &e));
    remove(&partial)?;
    let name = image.file_name().ok_or_else(|| Error::bug("a slot's image has no name"))?;
    symlink(name, &partial).and_then(|()| fs::rename(&partial, to)).map_err(failed)?;
    sync(to.parent().unwrap_or(to))
}
