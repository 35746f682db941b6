//! From Debian packages to a screened, packed initramfs.
//!
//! ```text
//! stage (packages, selection) → Tree → mask → screen → Screened → pack → Archive
//! ```
//! Packages are data: they are read in memory, no maintainer script runs, no root is needed. Nothing here opens a
//! file or a socket; the caller hands in bytes and a [`Cache`].
#![forbid(unsafe_code)]

mod app;
mod applets;
mod ar;
mod cache;
mod compress;
mod cpio_reader;
mod deb;
mod decompress;
mod elf;
mod facts;
#[cfg(test)]
mod fixture;
mod foreign;
#[cfg(fuzzing)]
pub mod fuzzing;
mod glob;
mod index;
mod item;
mod kernel;
mod kernel_code;
mod libraries;
mod mask;
mod modinfo;
mod modules;
mod near;
mod newc;
mod pack;
mod path;
mod policy;
mod printk;
mod read_back;
mod report;
mod sarif;
mod screen;
mod secrets;
mod segments;
mod sources;
mod stage;
mod statements;
mod take;
mod text;
mod texts;
mod tree;
mod unpack;
mod users;
mod waive;

pub use app::{app_digest, AppSelection, APP_ROOT};
pub use cache::{Cache, Content, MemoryCache, NoCache};
pub use compress::Compression;
pub use deb::Deb;
pub use decompress::{decompress, Packer};
pub use foreign::{read_initramfs, read_uki, ForeignLimits, Initramfs, Shape, Uki, Unjudged, LONGEST_NAME};
pub use index::{Index, Item as DebItem, Kind as DebKind};
pub use item::{printable, Item, Subject, TreeSubject, What};
pub use kernel_code::{is_bzimage, unpack_kernel};
pub use mask::{mask, summary as masked_summary, Action, Masked};
pub use pack::{pack, Archive, LayerSize};
pub use path::ImagePath;
pub use policy::{Policy, RuleText};
pub use printk::Formats;
pub use read_back::{read_back, Limits, ReadBack, Segment, Unpacked, UnpackedEntry};
pub use report::{Finding, LookedAt, Report};
pub use sarif::sarif;
pub use screen::{screen, screen_subject, Context, Memo, Screened, Screening, CMDLINE, KERNEL};
pub use segments::Packing;
pub use sources::{Load, Package};
pub use stage::{stage, Program, Selection, Staged, TextFile, MODULE_LIST, MOUNT_POINTS};
pub use text::findings as findings_text;
pub use tree::{Entry, Layer, Node, Tree};
pub use waive::apply_waivers;
