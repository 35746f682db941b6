//! What a check is judged by beside the files: what the person demands, and what is remembered.

use crate::memory::{Memory, Off};
use crate::verdict::Level;

#[derive(Debug, Clone)]
pub struct Demands {
    /// Lowest level that is accepted.
    pub level: Level,
    pub memory: Memory,
}

impl Demands {
    /// This level, and nothing remembered.
    pub fn at(level: Level) -> Self {
        Self { level, memory: Memory::Off(Off::Declined) }
    }
}
