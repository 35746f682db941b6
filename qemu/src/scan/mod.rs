//! Many byte strings at once in a guest's whole memory, fast: untouched and empty pages are not looked at, the rest is
//! read in steps of almost the shortest string's length.

mod engine;
mod file;

pub use engine::{Needle, Scanner, SHORTEST};
pub use file::{scan_file, Scanned};

/// Where a needle was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Offset of its first byte.
    pub at: u64,
    /// Its place in the list that the scanner was made of.
    pub needle: usize,
}
