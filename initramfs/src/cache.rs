//! Derived data between builds: file lists and files of packages, compressed layers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use vitrine_attest::Sha256;

/// Where derived data is kept between builds. Everything in it can be made again from the packages,
/// so `put` may fail silently and `get` may forget.
///
/// `get` gives what `put` got under this kind and key, or nothing: whoever keeps it checks the bytes against their hash,
/// so nobody hashes them again. This is against accidents: whoever can write to the cache can write to the programs
/// that read it, too.
pub trait Cache: Sync {
    fn get(&self, kind: &str, key: Sha256) -> Option<Content>;
    fn put(&self, kind: &str, key: Sha256, content: &Content);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl Cache for NoCache {
    fn get(&self, _: &str, _: Sha256) -> Option<Content> {
        None
    }
    fn put(&self, _: &str, _: Sha256, _: &Content) {}
}

/// Keeps everything until it is dropped: for tests, and for several builds in one process.
#[derive(Debug, Default)]
pub struct MemoryCache(Mutex<BTreeMap<(String, Sha256), Content>>);

impl MemoryCache {
    /// How much is kept.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.lock().map_or(0, |map| map.len())
    }

    /// Puts something else in place of everything of one kind.
    #[cfg(test)]
    pub(crate) fn replace(&self, kind: &str, content: &Content) {
        let mut map = self.0.lock().unwrap();
        map.iter_mut().filter(|((of, _), _)| of == kind).for_each(|(_, kept)| *kept = content.clone());
    }
}

impl Cache for MemoryCache {
    fn get(&self, kind: &str, key: Sha256) -> Option<Content> {
        self.0.lock().ok()?.get(&(kind.to_string(), key)).cloned()
    }
    fn put(&self, kind: &str, key: Sha256, content: &Content) {
        if let Ok(mut map) = self.0.lock() {
            map.insert((kind.to_string(), key), content.clone());
        }
    }
}

/// Bytes with their hash. Copies share them: the largest are a third of all that a build touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub bytes: Arc<Vec<u8>>,
    pub sha256: Sha256,
}

impl Content {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { sha256: Sha256::of(&bytes), bytes: bytes.into() }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        Arc::unwrap_or_clone(self.bytes)
    }
}
