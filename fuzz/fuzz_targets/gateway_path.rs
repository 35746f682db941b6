//! Targets of requests to the gateway. Invariants, for any text:
//! - judging never panics;
//! - a path that is passed on has one reading: decoded once or twice, with or without dot segments, double slashes, backslashes and
//!   parameters resolved, it is the same; and the library that writes it to the upstream takes it as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_gateway::path::is_plain;

/// RFC 3986 §2.1, as servers do it: what is no escape stays.
fn decoded(path: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < path.len() {
        let digits = path.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit())).and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte {
            Some(byte) if path[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(path[at]);
                at += 1;
            }
        }
    }
    out
}

/// Segments as a careless server sees them.
fn resolved(path: &[u8]) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')).skip(1) {
        match segment.split(|byte| *byte == b';').next().unwrap_or_default() {
            b"" | b"." => {}
            b".." => _ = segments.pop(),
            segment => segments.push(segment.to_vec()),
        }
    }
    segments
}

fuzz_target!(|target: &str| {
    if !is_plain(target) {
        return;
    }
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
    let parsed: http::uri::PathAndQuery = target.parse().expect("the library takes it");
    assert_eq!(parsed.as_str(), target);
    let path = target.split('?').next().unwrap_or_default();
    assert_eq!(parsed.path(), path);
    let once = decoded(path.as_bytes());
    assert_eq!(decoded(&once), once);
    assert!(std::str::from_utf8(&once).is_ok() && !once.iter().any(u8::is_ascii_control));
    let plain = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|byte| *byte == b'/').skip(1).filter(|segment| !segment.is_empty()).map(<[u8]>::to_vec).collect()
    };
    assert_eq!(resolved(&once), plain(&once));
    assert_eq!(once.iter().filter(|byte| **byte == b'/').count(), path.bytes().filter(|byte| *byte == b'/').count());
});
