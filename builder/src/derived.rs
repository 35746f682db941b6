//! Derived data of builds in the store, with a word to the user when some of it was damaged or cannot be kept.

use crate::progress::Progress;
use crate::store::{Cached, Store};
use std::sync::atomic::{AtomicBool, Ordering};
use vitrine_attest::Sha256;
use vitrine_initramfs::{Cache, Content};

/// The store's derived data. Losing it costs time, nothing else: errors are not worth stopping for.
#[derive(Debug)]
pub struct Derived<'a> {
    store: &'a Store,
    progress: &'a Progress,
    /// It was said that nothing can be kept.
    said: AtomicBool,
}

impl<'a> Derived<'a> {
    pub fn new(store: &'a Store, progress: &'a Progress) -> Self {
        Self { store, progress, said: AtomicBool::new(false) }
    }
}

impl Cache for Derived<'_> {
    fn get(&self, kind: &str, key: Sha256) -> Option<Content> {
        match self.store.cache_get(kind, &key) {
            Cached::Found(content) => Some(content),
            Cached::Missing => None,
            Cached::Damaged => {
                let short = key.short();
                self.progress.note(&format!("cache/{kind}/{short}… was damaged; it is thrown away and made again"));
                None
            }
        }
    }

    fn put(&self, kind: &str, key: Sha256, content: &Content) {
        if let Err(error) = self.store.cache_put(kind, &key, content) {
            if !self.said.swap(true, Ordering::Relaxed) {
                self.progress.note(&format!("the next build takes longer, nothing can be kept for it: {}", error.what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_and_a_full_disk_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (store, progress) = (Store::open(Some(dir.path())).unwrap(), Progress::hidden());
        let cache = Derived::new(&store, &progress);
        let (key, content) = (Sha256::of(b"key"), Content::new(b"data".to_vec()));
        cache.put("layer", key, &content);
        assert_eq!(cache.get("layer", key), Some(content.clone()));
        std::fs::write(dir.path().join("cache/layer").join(key.to_string()), [0; 40]).unwrap();
        assert_eq!(cache.get("layer", key), None);
        assert!(progress.notes()[0].starts_with("cache/layer/"), "{:?}", progress.notes());
        // a file where the folder of a kind should be
        std::fs::write(dir.path().join("cache/other"), "").unwrap();
        cache.put("other", key, &content);
        cache.put("other", key, &content);
        assert_eq!(progress.notes().len(), 2, "{:?}", progress.notes());
    }
}
