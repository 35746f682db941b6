//! `vitrine`: from a recipe and its lock to a signed, predicted, stated boot image.
#![forbid(unsafe_code)]

pub mod append;
pub mod archive;
pub mod authenticode;
pub mod blocklist;
mod bounded;
pub mod cli;
pub mod commands;
pub mod diff;
pub mod inspect;
pub mod keys;
pub mod lock;
pub mod osrelease;
pub mod out;
pub mod pipeline;
pub mod programs;
pub mod progress;
pub mod recipe;
pub mod sbom;
pub mod statement;
pub mod steps;
pub mod store;
pub mod target;
#[cfg(test)]
mod testpe;
pub mod uki;
pub mod userland;
