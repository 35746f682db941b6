//! What `vitrine slots` prints: both slots, and which one machines start.

use super::judge::Judged;
use super::place::{Layout, Place};
use super::refusal::Refusal;
use super::shelf::{Active, Shelf, Slot};
use super::trust::Trust;
use serde::Serialize;
use std::fmt::Write as _;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::Sha256;

#[derive(Debug, Serialize)]
pub struct Report {
    folder: String,
    layout: Layout,
    /// Nothing older may become active.
    min_seq: u64,
    /// The active slot's name; null when none is.
    active: Option<String>,
    /// SHA-256 of what machines start, when that is no slot's image.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<Sha256>,
    slots: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    slot: String,
    image: String,
    statement: String,
    /// What the statement says; null when no given key has signed it.
    release: Option<Said>,
    /// SHA-256 of the file; null when it is not there.
    sha256: Option<Sha256>,
    /// Empty: it may be started.
    refused: Vec<Refusal>,
}

#[derive(Debug, Serialize)]
struct Said {
    name: String,
    version: String,
    seq: u64,
    not_after: Option<String>,
    fingerprint: Fingerprint,
    authenticode: Sha256,
    signed_by: String,
}

impl Report {
    pub fn of(place: &Place, shelf: &Shelf, trust: &Trust) -> Self {
        let unknown = match &shelf.active {
            Active::Unknown(digest) => Some(*digest),
            _ => None,
        };
        Self {
            folder: place.folder.display().to_string(),
            layout: place.layout,
            min_seq: trust.min_seq,
            active: shelf.active_slot().map(|slot| slot.paths.name.clone()),
            unknown,
            slots: shelf.slots.iter().map(line).collect(),
        }
    }

    /// Whether machines start a release that may be started.
    pub fn is_good(&self) -> bool {
        let active = self.slots.iter().find(|slot| Some(&slot.slot) == self.active.as_ref());
        active.is_some_and(|slot| slot.refused.is_empty())
    }

    /// Writing to a String cannot fail, so the results of `writeln!` are dropped.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let layout = match self.layout {
            Layout::Esp => "EFI system partition",
            Layout::Netboot => "netboot folder",
        };
        let _ = writeln!(out, "{} ({layout})", self.folder);
        if self.min_seq > 0 {
            let _ = writeln!(out, "nothing below sequence number {}", self.min_seq);
        }
        for slot in &self.slots {
            slot.text(self.active.as_ref() == Some(&slot.slot), &mut out);
        }
        match (&self.active, &self.unknown) {
            (Some(_), _) => {}
            (None, Some(digest)) => _ = writeln!(out, "\nactive: an image of no slot, SHA-256 {digest}"),
            (None, None) => out.push_str("\nactive: nothing\n"),
        }
        out
    }
}

impl Line {
    fn text(&self, active: bool, out: &mut String) {
        let _ = writeln!(out, "\nslot {}{}", self.slot, if active { ", active" } else { "" });
        if let Some(said) = &self.release {
            let until = said.not_after.as_ref().map_or("no last day".into(), |day| format!("until {day}"));
            let _ = writeln!(out, "  {} {}, sequence number {}, {until}", said.name, said.version, said.seq);
            let _ = writeln!(out, "  {}\n  signed by {}", said.fingerprint, said.signed_by);
        }
        if let Some(digest) = &self.sha256 {
            let _ = writeln!(out, "  {}\n  sha256 {digest}", self.image);
        }
        for refusal in &self.refused {
            let _ = writeln!(out, "  refused: {refusal}");
        }
    }
}

fn line(slot: &Slot) -> Line {
    let Judged { image, said, refused } = &slot.judged;
    let release = said.as_ref().map(|said| {
        let release = said.release();
        Said {
            name: release.image.name.clone(),
            version: release.image.version.clone(),
            seq: release.seq,
            not_after: release.not_after.clone(),
            fingerprint: release.fingerprint,
            authenticode: release.image.authenticode,
            signed_by: said.signer.clone(),
        }
    });
    Line {
        slot: slot.paths.name.clone(),
        image: slot.paths.image.display().to_string(),
        statement: slot.paths.statement.display().to_string(),
        release,
        sha256: image.as_deref().map(Sha256::of),
        refused: refused.clone(),
    }
}
