//! Two releases on one medium: the one that machines start, and the way back. The image has no driver for disks, so this is done
//! from outside: where the EFI system partition is mounted, or where the netboot folder is served from.
//!
//! ```text
//! EFI/BOOT/BOOTX64.EFI              what firmware starts: a copy of a slot's image     exit.efi → exit-1.1.0-3f2a91bc.efi
//! EFI/vitrine/a.efi, a.dsse.json    slot a: an image and its signed statement           exit-1.0.0-9bc03e1f.efi, ….dsse.json
//! EFI/vitrine/b.efi, b.dsse.json    slot b                                              exit-1.1.0-3f2a91bc.efi, ….dsse.json
//! EFI/vitrine/slots.json            the floor: nothing older is activated               slots.json
//! EFI/vitrine/revocations/          those that were given once                          revocations/
//! ```
//! What is in a slot, and which one is active, follows from the files alone: statements are checked by signature, images by their
//! statement, and the active one is found by its bytes. Nobody has to trust the folder: what the files say wrong is refused.

mod floor;
mod judge;
mod netboot;
mod place;
mod put;
mod refusal;
mod report;
mod revoked;
mod shelf;
mod switch;
mod trust;
mod write;

pub use floor::Floor;
pub use judge::{Judged, Source};
pub use place::{Access, Layout, Place};
pub use put::install;
pub use report::Report;
pub use revoked::Revocations;
pub use shelf::Shelf;
pub use switch::{activate, rollback, Unknown};
pub use trust::Trust;

use serde::Serialize;

/// What a command has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// The release is in a slot now.
    Installed,
    /// The same image has another, later statement now.
    Restated,
    /// Machines that start from now on start the other slot.
    Activated,
    RolledBack,
    /// All was as wanted.
    Nothing,
}
