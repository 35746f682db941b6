//! All that a folder holds, judged.

use super::judge::{started, Judged, Source};
use super::place::{Paths, Place};
use super::trust::Trust;
use std::path::PathBuf;
use vitrine_attest::{Result, Sha256};

/// One of the two.
#[derive(Debug)]
pub struct Slot {
    pub paths: Paths,
    pub judged: Judged,
}

impl Slot {
    pub fn seq(&self) -> Option<u64> {
        self.judged.release().map(|release| release.seq)
    }

    /// `slot a (exit 1.0.0, sequence number 3)`
    pub fn title(&self) -> String {
        format!("slot {} ({})", self.paths.name, self.judged.title())
    }
}

/// What machines start.
#[derive(Debug, PartialEq, Eq)]
pub enum Active {
    Nothing,
    /// A place in [`Shelf::slots`].
    Slot(usize),
    /// Bytes that no slot has.
    Unknown(Sha256),
}

#[derive(Debug)]
pub struct Shelf {
    /// The filled ones.
    pub slots: Vec<Slot>,
    pub active: Active,
    /// Where it is started from, as far as that is known.
    pub started_from: Option<PathBuf>,
}

impl Shelf {
    /// # Errors
    /// When something cannot be read.
    pub fn read(place: &Place, trust: &Trust) -> Result<Self> {
        let mut slots = vec![];
        for paths in place.slots()? {
            let source = Source::read(&paths.image, &paths.statement)?;
            if !source.is_empty() {
                slots.push(Slot { paths, judged: Judged::of(source, trust) });
            }
        }
        let named = || slots.iter().find_map(|slot| slot.judged.release()).map(|release| &release.image.name);
        let started_from = place.active()?.or_else(|| named().map(|name| place.active_for(name)));
        let active = match started_from.as_deref().map(started).transpose()?.flatten() {
            None => Active::Nothing,
            Some(bytes) => match slots.iter().position(|slot| slot.judged.image.as_ref() == Some(&bytes)) {
                Some(place) => Active::Slot(place),
                None => Active::Unknown(Sha256::of(&bytes)),
            },
        };
        Ok(Self { slots, active, started_from })
    }

    pub fn active_slot(&self) -> Option<&Slot> {
        match self.active {
            Active::Slot(place) => self.slots.get(place),
            _ => None,
        }
    }

    /// The filled slot that is not active; of several, the newest.
    pub fn other(&self) -> Option<&Slot> {
        let others = self.slots.iter().enumerate().filter(|(place, _)| self.active != Active::Slot(*place));
        others.map(|(_, slot)| slot).max_by_key(|slot| slot.seq())
    }
}
