//! What a report tells of memory.

use super::{Memory, ServerId};
use crate::case::Case;
use serde::Serialize;

/// What was remembered of this server before this check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum MemoryReport {
    /// Nothing is, and nothing was compared.
    Off,
    FirstSeen {
        server: ServerId,
    },
    /// Accepted before; seconds since 1970.
    Known {
        server: ServerId,
        first_seen: u64,
        last_seen: u64,
    },
    /// The evidence names no endorsement key.
    Unreadable,
}

impl MemoryReport {
    pub fn of(case: &Case) -> Self {
        match (&case.demands.memory, case.server_id()) {
            (Memory::Off(_), _) => Self::Off,
            (_, Err(_)) => Self::Unreadable,
            (memory, Ok(server)) => match memory.of(&server) {
                None => Self::FirstSeen { server },
                Some(record) => Self::Known { server, first_seen: record.first_seen, last_seen: record.last_seen },
            },
        }
    }
}
