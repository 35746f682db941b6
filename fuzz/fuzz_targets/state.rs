//! The verifier's state file, after whatever happened to the disk. Invariants, for any bytes:
//! - reading never panics;
//! - what was read is written in one spelling, which reads back to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_verifier::memory::Book;

fuzz_target!(|data: &[u8]| {
    let Ok(book) = Book::parse(data) else { return };
    let written = book.to_bytes().expect("a book has a JSON form");
    assert_eq!(Book::parse(&written).as_ref(), Ok(&book));
});
