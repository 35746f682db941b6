//! From Debian packages to a screened, packed initramfs.
//!
//! ```text
//! stage (packages, selection) → Tree → mask → screen → Screened → pack → Archive
//! ```
//! Packages are data: they are read in memory, no maintainer script runs, no root is needed. Nothing here opens a
//! file or a socket; the caller hands in bytes and a [`Cache`].
#![forbid(unsafe_code)]

mod ar;
mod cache;
mod deb;
mod elf;
#[cfg(test)]
mod fixture;
mod glob;
mod index;
mod kernel;
mod libraries;
mod modinfo;
mod modules;
mod near;
mod path;
mod sources;
mod stage;
mod take;
mod tree;
mod unpack;

pub use cache::{Cache, Content, MemoryCache, NoCache};
pub use path::ImagePath;
pub use sources::Package;
pub use stage::{stage, Program, Selection, Staged, TextFile, MODULE_LIST, MOUNT_POINTS};
pub use tree::{Entry, Layer, Node, Tree};
