//! What a check is judged by beside the files: what the person demands, and what is remembered.

use crate::memory::{Memory, Off};
use crate::policy::Policy;
use crate::published::Published;
use crate::verdict::Level;

#[derive(Debug, Clone)]
pub struct Demands {
    /// Lowest level that is accepted.
    pub level: Level,
    pub memory: Memory,
    /// Its level is in `level` already.
    pub policy: Policy,
    /// What others say about the release.
    pub published: Published,
    /// None: no level above L2 is reached.
    #[cfg(feature = "cpu-evidence")]
    pub cpu: Option<crate::cpu::CpuDemands>,
}

impl Demands {
    /// This level, no policy, and nothing remembered.
    pub fn at(level: Level) -> Self {
        Self {
            level,
            memory: Memory::Off(Off::Declined),
            policy: Policy::default(),
            published: Published::default(),
            #[cfg(feature = "cpu-evidence")]
            cpu: None,
        }
    }
}
