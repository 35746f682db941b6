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
//! When its programs can be compiled from it, also:
//! ```text
//! compiler/Cargo.lock, compiler/crates/serde-1.0.228.crate …
//! compiler/lock.toml, compiler/packages/debian/pool/…/….deb    the toolchain
//! compiler/source/Cargo.toml …                                 the files that the source hash is of
//! ```
//! There is one spelling of an archive: the manifest says every byte of what follows, headers and padding included. So
//! the reader parses nothing but the manifest; whatever is not exactly what [`write()`] would have written is refused.

mod compiler;
mod contents;
mod header;
mod intake;
mod manifest;
mod read;
mod save;
mod write;

#[cfg(test)]
mod tests;

pub use contents::{open, Contents, Programs};
pub use manifest::{Manifest, Member};
pub use read::{read, Part, Shelf, Vendored};
pub use save::{save, Hashing};
pub use write::write;

/// The first member.
pub const MANIFEST: &str = "manifest.toml";
const README: &str = "README.txt";
const LOCK: &str = "lock.toml";
const PACKAGES: &str = "packages/";
const PROGRAMS: &str = "programs/";
const RECIPE: &str = "recipe/";
/// Begin of all that the programs are compiled from.
const COMPILER: &str = "compiler/";
const CARGO_LOCK: &str = "compiler/Cargo.lock";
const CRATES: &str = "compiler/crates/";
const TOOLCHAIN_LOCK: &str = "compiler/lock.toml";
const TOOLCHAIN: &str = "compiler/packages/";
const SOURCE: &str = "compiler/source/";
