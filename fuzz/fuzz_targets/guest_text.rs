//! Text that a guest made and people get to see: its console, and a page of its web server. Invariants, for any bytes:
//! - reading never panics;
//! - nothing of what is shown can steer a terminal, and showing it twice changes nothing;
//! - a page's body is the end of what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_qemu::http;
use vitrine_qemu::text::clean;

fuzz_target!(|data: &[u8]| {
    let shown = clean(data);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    assert_eq!(clean(shown.as_bytes()), shown);
    if let Ok((_, body)) = http::parse(data) {
        assert!(data.starts_with(b"HTTP/1.") && data.ends_with(body) && body.len() < data.len());
    }
});
