//! Indexes of logs, and the entries that they are made of. Invariants, for any bytes:
//! - reading never panics;
//! - what is read is written again as the same bytes;
//! - a bucket finds each of its records;
//! - what a log signs of its index is no checkpoint;
//! - an entry has at least its two own keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::log_index::{keys, Bucket, Head, List};
use vitrine_attest::note::Checkpoint;

fuzz_target!(|data: &[u8]| {
    if let Ok(bucket) = Bucket::parse(data) {
        assert_eq!(bucket.to_bytes(), data);
        for record in &bucket.records {
            assert!(bucket.find(&record.key).any(|index| index == record.index));
        }
    }
    if let Ok(list) = List::parse(data) {
        assert_eq!(list.to_bytes(), data);
        assert!(Bucket::parse(data).is_err());
    }
    if let Some(head) = std::str::from_utf8(data).ok().and_then(|text| Head::parse(text).ok()) {
        assert_eq!(head.to_text().as_bytes(), data);
        assert!(Checkpoint::parse(&head.to_text()).is_err());
    }
    assert!(keys(data).len() >= 2);
});
