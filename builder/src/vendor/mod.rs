//! A vendor archive: one tar file with everything that a rebuild of an image needs. See `docs/formats/vendor.md`.
//!
//! ```text
//! manifest.toml                     what follows, each with size and SHA-256
//! README.txt                        for whoever finds the file without this program
//! lock.toml                         the lock, in its one spelling
//! packages/debian/pool/…/….deb      every locked package, under its path on a mirror
//! programs/vitrine-init …           the programs that go into the image; programs.json: what they were compiled from
//! recipe/exit.toml …                the recipe, its parents, and the files they name
//! ```
//! There is one spelling of an archive: the manifest says every byte of what follows, headers and padding included. So
//! the reader parses nothing but the manifest; whatever is not exactly what [`write()`] would have written is refused.

mod contents;
mod header;
mod intake;
mod manifest;
mod read;
mod save;
mod write;

#[cfg(test)]
mod tests;

pub use contents::{open, Contents};
pub use manifest::{Manifest, Member, MANIFEST_VERSION};
pub use read::{read, Shelf, Vendored};
pub use save::{save, Hashing};
pub use write::write;

/// The first member.
pub const MANIFEST: &str = "manifest.toml";
const README: &str = "README.txt";
const LOCK: &str = "lock.toml";
const PACKAGES: &str = "packages/";
const PROGRAMS: &str = "programs/";
const RECIPE: &str = "recipe/";
