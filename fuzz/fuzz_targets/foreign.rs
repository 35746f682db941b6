//! Boot files of any maker, as `vitrine screen` reads them. Invariants, for any bytes:
//! - reading never panics, never takes more than its limits, and is deterministic;
//! - what was not read is said: nothing is let through in silence.
//!
//! Judging takes a hundred times as long as reading, so it is done for every eighth length only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_initramfs::{
    read_initramfs, read_uki, screen_subject, unpack_kernel, Context, ForeignLimits, Policy, Subject,
};

const LIMITS: ForeignLimits = ForeignLimits { unpacked: 8 << 20, entries: 200, free: 1 << 20, ratio: 10 };

fuzz_target!(|data: &[u8]| {
    let _ = unpack_kernel(data);
    let uki = read_uki(data).ok();
    let archive = uki.as_ref().map_or(data, |uki| &uki.initramfs);
    let read = read_initramfs(archive, LIMITS);
    assert!(read.len() <= LIMITS.entries);
    assert!(read.segments > 0 || !read.unjudged.is_empty());
    if data.len() % 8 != 0 {
        return;
    }
    let unjudged = read.unjudged.clone();
    let judged = |kernel| {
        let context =
            Context { cmdline: Some(String::new()), kernel, unjudged: unjudged.clone(), ..Context::default() };
        screen_subject(&read, &context, &Policy::standard(), &[]).report
    };
    let report = judged(Some(data));
    assert_eq!(report, judged(Some(data)));
    assert!(unjudged.is_empty() || report.exit_code() == 2);
});
