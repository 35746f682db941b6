//! What is remembered of transparency logs: of each the largest tree that an accepted statement stood in, and its signed
//! checkpoint, so that a log that signs two trees of one size is caught with both of its signatures.
//!
//! A smaller tree than the remembered one is nothing: proofs are as old as they are. Whether it is a beginning of the larger
//! one, only the log itself can show.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vitrine_attest::tlog_proof::Proof;
use vitrine_attest::Sha256;

/// A tree of one log, as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSeen {
    pub size: u64,
    pub root: Sha256,
    /// The signed checkpoint: with another one of this size it is evidence for everybody.
    pub note: String,
}

impl LogSeen {
    /// The log's name, and what a proof shows of it. Whose signatures it has is judged elsewhere (V29).
    pub fn of_proof(bytes: &[u8]) -> Option<(String, Self)> {
        let proof = Proof::parse(bytes).ok()?;
        let (_, note) = std::str::from_utf8(bytes).ok()?.split_once("\n\n")?;
        let seen = Self { size: proof.checkpoint.size, root: proof.checkpoint.root, note: note.into() };
        Some((proof.checkpoint.origin, seen))
    }

    /// Both cannot be trees of one honest log.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.size == other.size && self.root != other.root
    }
}

/// Remembers the larger tree.
pub fn see(logs: &mut BTreeMap<String, LogSeen>, origin: String, seen: LogSeen) {
    match logs.get(&origin) {
        Some(known) if known.size >= seen.size => {}
        _ => {
            logs.insert(origin, seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(size: u64, root: u8) -> LogSeen {
        LogSeen { size, root: Sha256([root; 32]), note: format!("{size} {root}") }
    }

    #[test]
    fn the_largest_stays() {
        let mut logs = BTreeMap::new();
        for (size, root) in [(5, 1), (4, 2), (5, 3), (7, 4), (6, 5)] {
            see(&mut logs, "a".into(), seen(size, root));
        }
        see(&mut logs, "b".into(), seen(1, 6));
        assert_eq!((logs.len(), &logs["a"], &logs["b"]), (2, &seen(7, 4), &seen(1, 6)));
    }

    #[test]
    fn contradictions() {
        assert!(seen(5, 1).contradicts(&seen(5, 2)));
        assert!(!seen(5, 1).contradicts(&seen(5, 1)) && !seen(5, 1).contradicts(&seen(6, 2)));
    }
}
