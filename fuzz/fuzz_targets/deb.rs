//! Debian packages. Invariants, for any bytes:
//! - opening one never panics and is deterministic;
//! - every file of the index lies inside the unpacked data, under a path in merged-/usr form, below folders.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_initramfs::fuzzing::{Deb, Index, Kind};

fuzz_target!(|data: &[u8]| {
    if let Ok(index) = Index::of_tar(data) {
        check(&index, data.len());
    }
    let Ok(deb) = Deb::open(data) else { return };
    check(&deb.index, deb.tar.len());
    let again = Deb::open(data).expect("it was opened before");
    assert_eq!((again.name, again.version, again.index), (deb.name, deb.version, deb.index));
});

fn check(index: &Index, length: usize) {
    for (path, item) in &index.0 {
        if let Kind::File { offset, size } = item.kind {
            assert!(offset + size <= length as u64);
        }
        assert_eq!((&path.merged().0, item.mode & !0o7777), (path, 0));
        if let Some(parent) = path.parent() {
            assert_eq!(index.0.get(&parent).map(|item| &item.kind), Some(&Kind::Directory));
        }
    }
}
