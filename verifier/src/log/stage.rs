//! The entries of one change, before it is promised.
//!
//! ```text
//! vitrine-log-stage v1
//! 1482 2 5b1f…                 entries before, entries here, SHA-256 of the rest
//! (u16 length ‖ entry)*
//! ```

use vitrine_attest::tile::BUNDLE_LIMIT;
use vitrine_attest::Sha256;

const VERSION: &str = "vitrine-log-stage v1";
/// Most bytes of entries in one change.
pub const STAGE_LIMIT: usize = 64 << 20;
/// Largest file.
pub const FILE_LIMIT: usize = STAGE_LIMIT + BUNDLE_LIMIT;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    /// Size of the tree to which they are added.
    pub old: u64,
    pub count: u64,
    /// As in a bundle.
    pub entries: Vec<u8>,
}

impl Stage {
    pub fn to_bytes(&self) -> Vec<u8> {
        let digest = Sha256::of(&self.entries);
        let mut bytes = format!("{VERSION}\n{} {} {digest}\n", self.old, self.count).into_bytes();
        bytes.extend_from_slice(&self.entries);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote. None: it is not whole.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(VERSION.as_bytes())?.strip_prefix(b"\n")?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, entries) = (std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]);
        let mut words = line.split(' ');
        let (old, count, digest) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        let whole = words.next().is_none() && digest.parse() == Ok(Sha256::of(entries));
        let stage = Self { old, count, entries: entries.to_vec() };
        (whole && stage.each().filter(Option::is_some).count() as u64 == count && stage.each().all(|e| e.is_some()))
            .then_some(stage)
    }

    /// The entries; a last None when the bytes are cut off.
    pub fn each(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut rest = self.entries.as_slice();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let cut = rest
                .split_first_chunk()
                .and_then(|(length, after)| after.split_at_checked(usize::from(u16::from_be_bytes(*length))));
            rest = cut.map_or(&[], |(_, after)| after);
            Some(cut.map(|(entry, _)| entry))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::tile::push_entry;

    #[test]
    fn whole_or_nothing() {
        let mut entries = vec![];
        for entry in [&b"one"[..], b"", b"three"] {
            push_entry(&mut entries, entry).unwrap();
        }
        let stage = Stage { old: 7, count: 3, entries };
        let bytes = stage.to_bytes();
        assert_eq!(Stage::parse(&bytes), Some(stage.clone()));
        for end in 0..bytes.len() {
            assert_eq!(Stage::parse(&bytes[..end]), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert_ne!(Stage::parse(&bent), Some(stage.clone()), "bent at {at}");
        }
        let wrong = Stage { count: 2, ..stage };
        assert_eq!(Stage::parse(&wrong.to_bytes()), None);
    }
}
