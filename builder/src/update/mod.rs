//! What an update of a lock changes: packages, and, when both images were built, what the screen and the sizes say.

mod changes;
mod compare;

pub use changes::{Change, Changes, Kind};
pub use compare::{Comparison, Size};
