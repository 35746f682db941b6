//! Which entries stand in a log already: by the first eight bytes of their hashes, 16 bytes each and a little more.

use std::collections::HashMap;
use vitrine_attest::Sha256;

#[derive(Default)]
pub(super) struct Seen(HashMap<u64, u64>);

impl Seen {
    /// The index of an entry whose hash begins like this. Compare the whole hash: it may be another one.
    pub fn find(&self, leaf: &Sha256) -> Option<u64> {
        self.0.get(&beginning(leaf)).copied()
    }

    /// The first of several stays.
    pub fn add(&mut self, leaf: &Sha256, index: u64) {
        self.0.entry(beginning(leaf)).or_insert(index);
    }
}

fn beginning(leaf: &Sha256) -> u64 {
    let (first, _) = leaf.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*first)
}
