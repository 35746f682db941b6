//! The queue of a guest's network card, read out of the guest's memory. Everything in it is the guest's word. Invariants,
//! for any memory and any place of the queue:
//! - reading never panics, ends, and takes no more memory than a queue has entries;
//! - the same memory gives the same answer.
//!
//! `size's exponent[1] ‖ used[2] ‖ place of the table[2] ‖ place of the offers[2] ‖ memory`; a place with its highest bit
//! set lies at the end of all places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use vitrine_qemu::prove::fuzzing::buffers;

thread_local! {
    static MEMORY: RefCell<Option<File>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    let Some((&[exponent, u0, u1, t0, t1, a0, a1], bytes)) = data.split_first_chunk() else { return };
    let place = |low, high| match u16::from_le_bytes([low, high]) {
        far @ 0x8000.. => u64::MAX - u64::from(far & 0x7fff),
        near => near.into(),
    };
    let size = match exponent & 0x1f {
        exponent @ 0..=16 => 1 << exponent,
        other => other.into(),
    };
    let read = || {
        let found = buffers(memory(bytes), place(t0, t1), place(a0, a1), size, u16::from_le_bytes([u0, u1]).into());
        found.ok().map(|found| (found.len(), format!("{found:?}")))
    };
    let first = read();
    assert!(first.as_ref().is_none_or(|(count, _)| *count as u64 <= size), "{first:?}");
    assert_eq!(first, read());
});

/// A file that is used again: to make one each time would be most of the work.
fn memory(bytes: &[u8]) -> File {
    MEMORY.with_borrow_mut(|kept| {
        let file = kept.get_or_insert_with(|| tempfile::tempfile().expect("a file"));
        file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).expect("memory takes it");
        file.try_clone().expect("a descriptor")
    })
}
