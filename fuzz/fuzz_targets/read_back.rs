//! A whole initramfs. Invariants, for any bytes:
//! - reading never panics, never takes more than its limits, and is deterministic;
//! - packed segments lie inside the bytes; entries lie below folders or links; files have their bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_initramfs::{read_back, Limits, Unpacked};

const LIMITS: Limits = Limits { unpacked: 8 << 20, entries: 500 };

fuzz_target!(|data: &[u8]| {
    let Ok(read) = read_back(data, LIMITS) else { return };
    assert_eq!(read_back(data, LIMITS).as_ref(), Ok(&read));
    assert!(read.entries.len() <= LIMITS.entries && !read.segments.is_empty());
    assert!(read.segments.iter().map(|s| s.raw as u64).sum::<u64>() <= LIMITS.unpacked + data.len() as u64);
    assert!(read.segments.iter().map(|s| s.packed).sum::<usize>() <= data.len());
    for (path, entry) in &read.entries {
        match &entry.node {
            Unpacked::File(_) => assert_eq!(read.sha256(path).is_some(), read.bytes(path).is_some()),
            _ => assert_eq!(read.bytes(path), None),
        }
        if let Unpacked::File(number) = entry.node {
            assert!(number < read.contents.len());
        }
    }
});
