//! Puts a release into the slot that is not active.

use super::judge::{title, Judged, Said};
use super::place::{Layout, Paths, Place};
use super::refusal::{self, Refusal};
use super::shelf::{Active, Shelf, Slot};
use super::write::{remove, room, staged};
use super::{netboot, Did};
use crate::export::netboot::Netboot;
use crate::export::Image;
use vitrine_attest::{Error, Result};

/// What machines start is not touched; when that is this very image, it may get a later statement.
///
/// # Errors
/// Blame Artefact when the release is refused, or not newer than what is there; Host when it cannot be written: nothing has
/// changed then, unless the slot is said to be empty.
pub fn install(place: &Place, shelf: &Shelf, new: &Judged) -> Result<(Did, String)> {
    let (Some(image), Some(said)) = (&new.image, &new.said) else {
        return Err(refusal::error(&new.title(), &new.refused));
    };
    if !new.refused.is_empty() {
        return Err(refusal::error(&new.title(), &new.refused));
    }
    let release = said.release();
    let same = shelf.slots.iter().find(|slot| slot.judged.image.as_ref() == Some(image));
    let others = shelf.slots.iter().filter(|slot| same.is_none_or(|same| same.paths != slot.paths));
    let refused: Vec<Refusal> = others.filter_map(|slot| not_newer(slot, said)).collect();
    if !refused.is_empty() {
        return Err(refusal::error(&title(release), &refused));
    }
    match same {
        Some(slot) => restate(place, slot, said),
        None => {
            let paths = slot_for(place, shelf, image)?;
            fill(place, shelf, &paths, image, said)?;
            Ok((Did::Installed, paths.name))
        }
    }
}

/// Against a slot with another image. One that an interrupted command has left half-filled is in nobody's way.
fn not_newer(slot: &Slot, said: &Said) -> Option<Refusal> {
    let (there, new) = (slot.judged.release()?, said.release());
    if slot.judged.image.is_none() || there == new {
        return None;
    }
    let detail = |what: String| format!("{what}, and {} is there already", slot.title());
    if there.image.name != new.image.name {
        return Some(Refusal::new("another-image-name", detail(format!("it is called {}", new.image.name))));
    }
    if new.seq <= there.seq {
        return Some(Refusal::new("seq-not-greater", detail(format!("its sequence number is {}", new.seq))));
    }
    (new.image.version == there.image.version)
        .then(|| Refusal::new("version-again", detail(format!("its version is {}", new.image.version))))
}

/// The image is there: a later statement takes the earlier one's place.
fn restate(place: &Place, slot: &Slot, said: &Said) -> Result<(Did, String)> {
    let name = slot.paths.name.clone();
    let bytes = said.envelope.to_json()?;
    match slot.judged.release() {
        Some(there) if there == said.release() => {
            netboot::tell(place)?; // a command that was killed behind its last step
            return Ok((Did::Nothing, name));
        }
        Some(there) if there.seq >= said.release().seq => {
            let detail =
                format!("its sequence number is {}, and {} has the same image", said.release().seq, slot.title());
            return Err(refusal::error(&title(said.release()), &[Refusal::new("seq-not-greater", detail)]));
        }
        _ => {}
    }
    staged(&slot.paths.statement, &bytes)?.publish()?;
    Ok((Did::Restated, name))
}

/// Where it goes: beside the active slot, or beside the newest one when none is active.
fn slot_for(place: &Place, shelf: &Shelf, image: &[u8]) -> Result<Paths> {
    if place.layout == Layout::Netboot {
        let name = Netboot::of(&Image::check(image)?)?.name;
        return Ok(place.slot(name.trim_end_matches(".efi")));
    }
    let all = place.slots()?;
    let stays = stays(shelf).map(|slot| &slot.paths);
    all.into_iter().find(|paths| Some(paths) != stays).ok_or_else(|| Error::bug("no slot is left"))
}

fn stays(shelf: &Shelf) -> Option<&Slot> {
    match shelf.active {
        Active::Slot(_) => shelf.active_slot(),
        _ => shelf.slots.iter().max_by_key(|slot| slot.seq()),
    }
}

/// Everything is written first; only then the slot's former release goes. The statement gets its name before the image, so
/// that a slot which is not finished is seen as one.
fn fill(place: &Place, shelf: &Shelf, paths: &Paths, image: &[u8], said: &Said) -> Result<()> {
    let (ours, statement) = (place.ours(), said.envelope.to_json()?);
    // once more where firmware looks, when it is activated
    let copies = if place.layout == Layout::Esp { 2 } else { 1 };
    room(&ours, (image.len() * copies + statement.len()) as u64)?;
    let (image, statement) = (staged(&paths.image, image)?, staged(&paths.statement, &statement)?);
    let stays = stays(shelf).map(|slot| &slot.paths);
    for slot in shelf.slots.iter().filter(|slot| Some(&slot.paths) != stays) {
        remove(&slot.paths.image)?;
        remove(&slot.paths.statement)?;
    }
    let published = statement.publish().and_then(|()| image.publish());
    published.map_err(|e| e.within(format!("slot {} is empty now", paths.name)))?;
    netboot::tell(place)
}
