//! What is remembered of servers, so that none of them goes back in time unseen (check V16, and V21 for statements).
//!
//! A quote says how often its TPM was reset and how far its clock has come. Nobody can set these back on a TPM but by
//! clearing it, and a copy of a virtual TPM that is put back has those of its copy. So what an accepted server said last
//! time bounds what it can say now. `compare.rs` has the rules, [`Book`] is the file's form, [`Store`] the file.

mod book;
#[cfg(test)]
pub(crate) use book::tests;
mod compare;
mod logs;
mod store;
mod told;

pub use book::{Book, Boot, Record, ReleaseSeen, ServerId, BOOK_LIMIT};
pub use compare::{older_statement, problem, remarks, stood_still};
pub use logs::LogSeen;
pub use store::{place, Kept, Locked, Stamp, Store};
pub use told::MemoryReport;

use std::sync::Arc;

/// What a check can be compared with. A book is shared: it may hold thousands of servers.
#[derive(Debug, Clone)]
pub enum Memory {
    /// Nothing is remembered, and nothing will be.
    Off(Off),
    Kept {
        /// As it was before the server was asked: all of it has to lie behind what the server says now.
        before: Arc<Book>,
        /// As it is now; another verifier may have added to it since.
        now: Arc<Book>,
    },
}

/// Why nothing is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// The person said `--no-state`.
    Declined,
    /// A file is as old as it is: it is compared only when the person names a state file.
    FromFile,
}

impl Memory {
    /// Another tree of the same size of one log.
    pub fn contradicting(&self, origin: &str, seen: &LogSeen) -> Option<&LogSeen> {
        match self {
            Self::Off(_) => None,
            Self::Kept { now, .. } => now.contradicting(origin, seen),
        }
    }

    /// What is remembered of one server, now.
    pub fn of(&self, server: &ServerId) -> Option<&Record> {
        match self {
            Self::Off(_) => None,
            Self::Kept { now, .. } => now.get(server),
        }
    }
}
