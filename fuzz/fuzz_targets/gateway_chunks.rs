//! Chunked bodies of requests, as the gateway follows them. Invariants, for any bytes and any pieces:
//! - following never panics, and pieces give what the whole gives;
//! - where the body ends, there is an empty line, and another reader of the grammar (RFC 9112 §7.1) finds the same end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_gateway::chunks::Chunks;

/// The end of a strict chunked body, by lines.
fn end(data: &[u8]) -> Option<usize> {
    let line = |at: usize| data[at..].windows(2).position(|two| two == b"\r\n").map(|length| at + length);
    let mut at = 0;
    loop {
        let stop = line(at)?;
        let size = usize::from_str_radix(std::str::from_utf8(&data[at..stop]).ok()?, 16).ok()?;
        at = stop + 2;
        if size == 0 {
            break;
        }
        at = at.checked_add(size)?;
        (data.get(at..at + 2)? == b"\r\n").then_some(())?;
        at += 2;
    }
    loop {
        let stop = line(at)?;
        if stop == at {
            return Some(at + 2);
        }
        at = stop + 2;
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, data) = (usize::from(input.0) + 1, input.1);
    let whole = Chunks::default().feed(data);
    let mut chunks = Chunks::default();
    let mut at = 0;
    let mut found = Ok(None);
    for part in data.chunks(piece) {
        found = chunks.feed(part).map(|end| end.map(|end| at + end));
        at += part.len();
        if found != Ok(None) {
            break;
        }
    }
    assert_eq!(found, whole);
    if let Ok(Some(length)) = whole {
        assert_eq!(end(data), Some(length));
    }
});
