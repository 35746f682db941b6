//! What an earlier screen has said about a file, kept so that the same file is not searched again.

use super::{Judge, Seen};
use crate::cache::{Cache, Content};
use crate::item::Item;
use std::fmt;
use vitrine_attest::lengths::prefixed;
use vitrine_attest::Sha256;

/// Folder of the cache.
const KIND: &str = "screen";
/// Files from this size on are remembered, in bytes: to judge a smaller one takes less than to look it up.
const LARGE: usize = 256 << 10;

/// Where verdicts are kept. A verdict is found again by the bytes it is about, their path, mode and owner, the rules, and
/// the program that judged: another version judges for itself.
#[derive(Clone, Copy)]
pub struct Memo<'a> {
    pub cache: &'a dyn Cache,
    /// Differs between programs that could judge differently.
    pub maker: Sha256,
}

impl fmt::Debug for Memo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memo of {}", self.maker.short())
    }
}

/// Judges one thing, or remembers.
pub fn item(memo: Option<&Memo<'_>>, judge: &Judge<'_>, item: &Item<'_>, seen: &mut Seen) {
    match (memo, item.sha256) {
        (Some(memo), Some(sha256)) if item.bytes().len() >= LARGE => {
            let numbers = [item.mode, item.owner.0, item.owner.1].map(u32::to_be_bytes).concat();
            let path = Sha256::of(item.path.as_bytes());
            let key = memo.key(judge, &[b"file", &sha256.0, &path.0, &numbers]);
            seen.add(memo.recall(key, |own| judge.item(item, own)));
        }
        _ => judge.item(item, seen),
    }
}

/// Judges the kernel beside the tree, or remembers.
pub fn kernel(memo: Option<&Memo<'_>>, judge: &Judge<'_>, path: &str, bytes: &[u8], sha256: Sha256) -> Seen {
    let work = |own: &mut Seen| judge.kernel(path, bytes, sha256, own);
    match memo {
        Some(memo) => memo.recall(memo.key(judge, &[b"kernel", &sha256.0]), work),
        None => {
            let mut own = Seen::default();
            work(&mut own);
            own
        }
    }
}

impl Memo<'_> {
    fn key(&self, judge: &Judge<'_>, about: &[&[u8]]) -> Sha256 {
        let asked = judge.asked();
        Sha256::of(&prefixed(&[&[b"vitrine screen v1", &self.maker.0[..], &asked], about].concat()))
    }

    fn recall(&self, key: Sha256, work: impl FnOnce(&mut Seen)) -> Seen {
        let known = self.cache.get(KIND, key).and_then(|content| serde_json::from_slice(&content.bytes).ok());
        known.unwrap_or_else(|| {
            let mut own = Seen::default();
            work(&mut own);
            if let Ok(json) = serde_json::to_vec(&own) {
                self.cache.put(KIND, key, &Content::new(json));
            }
            own
        })
    }
}
