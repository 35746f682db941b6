//! The search of a guest's memory. Invariant, for any needles and any memory: it finds exactly what a plain search finds.
//!
//! `number of needles[1] ‖ for each: length and case[1], bytes ‖ memory`. Few different letters, so that needles overlap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_qemu::scan::{Hit, Needle, Scanner, SHORTEST};

fuzz_target!(|data: &[u8]| {
    let Some((count, mut rest)) = data.split_first() else { return };
    let mut needles = Vec::new();
    for _ in 0..1 + count % 6 {
        let Some((first, after)) = rest.split_first() else { return };
        let length = SHORTEST + usize::from(first & 0x3f);
        let Some((bytes, after)) = after.split_at_checked(length) else { return };
        rest = after;
        needles.push(Needle { bytes: bytes.iter().map(letter).collect(), any_case: first & 0x80 != 0 });
    }
    let memory: Vec<u8> = rest.iter().map(letter).collect();
    let begins_with_zero = needles.iter().any(|needle| needle.bytes[0] == 0);
    let scanner = match Scanner::new(needles.clone()) {
        Ok(scanner) => scanner,
        Err(_) => return assert!(begins_with_zero),
    };
    let mut found = Vec::new();
    scanner.scan(&memory, 1000, &mut |hit| found.push(hit));
    found.sort_unstable();
    let mut plain: Vec<Hit> = Vec::new();
    for (number, needle) in needles.iter().enumerate() {
        for (at, window) in memory.windows(needle.bytes.len()).enumerate() {
            let same =
                if needle.any_case { window.eq_ignore_ascii_case(&needle.bytes) } else { window == needle.bytes };
            if same {
                plain.push(Hit { at: 1000 + at as u64, needle: number });
            }
        }
    }
    plain.sort_unstable();
    assert_eq!(found, plain);
});

fn letter(byte: &u8) -> u8 {
    b"aAbB\0z@`"[usize::from(byte % 8)]
}
