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
mod compress;
mod cpio_reader;
mod deb;
mod elf;
mod facts;
#[cfg(test)]
mod fixture;
#[cfg(fuzzing)]
pub mod fuzzing;
mod glob;
mod index;
mod kernel;
mod libraries;
mod mask;
mod modinfo;
mod modules;
mod near;
mod newc;
mod pack;
mod path;
mod policy;
mod read_back;
mod report;
mod screen;
mod segments;
mod sources;
mod stage;
mod take;
mod tree;
mod unpack;

pub use cache::{Cache, Content, MemoryCache, NoCache};
pub use compress::Compression;
pub use mask::{mask, Action, Masked};
pub use pack::{pack, Archive, LayerSize};
pub use path::ImagePath;
pub use policy::Policy;
pub use read_back::{read_back, Limits, ReadBack, Segment, Unpacked, UnpackedEntry};
pub use report::{Finding, Report};
pub use screen::{screen, Context, Screened, CMDLINE};
pub use segments::Packing;
pub use sources::Package;
pub use stage::{stage, Program, Selection, Staged, TextFile, MODULE_LIST, MOUNT_POINTS};
pub use tree::{Entry, Layer, Node, Tree};
