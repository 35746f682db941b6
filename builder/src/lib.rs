//! `vitrine`: from a recipe and its lock to a signed, predicted, stated boot image.
#![forbid(unsafe_code)]

pub mod append;
pub mod archive;
pub mod authenticode;
pub mod blocklist;
mod bounded;
pub mod budget;
pub mod cli;
pub mod commands;
mod derived;
pub mod diff;
pub mod enrol;
pub mod export;
mod hashing;
pub mod inspect;
pub mod keys;
pub mod lock;
mod maker;
pub mod osrelease;
pub mod out;
pub mod pipeline;
pub mod programs;
pub mod progress;
pub mod recipe;
mod record;
pub mod sbom;
pub mod slots;
pub mod statement;
pub mod steps;
pub mod store;
pub mod target;
#[cfg(test)]
mod testpe;
pub mod toolchain;
pub mod uki;
pub mod update;
pub mod userland;
pub mod vendor;
mod waiver_file;
