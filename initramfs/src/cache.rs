//! Derived data between builds: file lists and files of packages, compressed layers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use vitrine_attest::Sha256;

/// Where derived data is kept between builds. Everything in it can be made again from the packages,
/// so `put` may fail silently and `get` may forget.
pub trait Cache: Sync {
    fn get(&self, kind: &str, key: Sha256) -> Option<Vec<u8>>;
    fn put(&self, kind: &str, key: Sha256, bytes: &[u8]);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl Cache for NoCache {
    fn get(&self, _: &str, _: Sha256) -> Option<Vec<u8>> {
        None
    }
    fn put(&self, _: &str, _: Sha256, _: &[u8]) {}
}

/// Keeps everything until it is dropped: for tests, and for several builds in one process.
#[derive(Debug, Default)]
pub struct MemoryCache(Mutex<BTreeMap<(String, Sha256), Vec<u8>>>);

impl Cache for MemoryCache {
    fn get(&self, kind: &str, key: Sha256) -> Option<Vec<u8>> {
        self.0.lock().ok()?.get(&(kind.to_string(), key)).cloned()
    }
    fn put(&self, kind: &str, key: Sha256, bytes: &[u8]) {
        if let Ok(mut map) = self.0.lock() {
            map.insert((kind.to_string(), key), bytes.to_vec());
        }
    }
}

/// Bytes with their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub sha256: Sha256,
}

impl Content {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { sha256: Sha256::of(&bytes), bytes }
    }
}

/// Stores the content with its hash in front, so that a damaged or cut file in the cache is noticed.
/// This is against accidents: whoever can write to the cache can write to the programs that read it, too.
pub(crate) fn put(cache: &dyn Cache, kind: &str, key: Sha256, content: &Content) {
    cache.put(kind, key, &[content.sha256.as_bytes().as_slice(), &content.bytes].concat());
}

/// What [`put`] stored; `None` when it is not there or damaged.
pub(crate) fn get(cache: &dyn Cache, kind: &str, key: Sha256) -> Option<Content> {
    let mut bytes = cache.get(kind, key)?;
    let (digest, body) = bytes.split_first_chunk::<32>()?;
    let sha256 = Sha256(*digest);
    if Sha256::of(body) != sha256 {
        return None;
    }
    bytes.drain(..32);
    Some(Content { bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noticed() {
        let (cache, key) = (MemoryCache::default(), Sha256::of(b"key"));
        put(&cache, "k", key, &Content::new(b"body".to_vec()));
        assert_eq!(get(&cache, "k", key).unwrap().bytes, b"body");
        assert!(get(&cache, "other", key).is_none());
        let sealed = cache.get("k", key).unwrap();
        for bad in [&sealed[..35], &sealed[..10], &[], &[&sealed[..], b"x"].concat()] {
            cache.put("k", key, bad);
            assert!(get(&cache, "k", key).is_none());
        }
    }
}
