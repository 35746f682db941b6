//! A witness of transparency logs (C2SP tlog-witness), and asking one.
//!
//! A witness remembers of each log the last checkpoint that it has signed, and signs only what contains it. That is all it
//! is for, so its memory is what has to be guarded: see [`book`] and [`folder`].

pub mod book;
pub mod client;
pub mod folder;
pub mod ml_dsa;
pub mod serve;

pub use client::{cosign, known_sizes, Failure, Outcome, WitnessAt};
pub use folder::{Folder, Locked};
