//! Blocklists that an operator gives. Invariants, for any bytes:
//! - reading never panics;
//! - what comes out is sorted, without doubles, in lower case, and comes out again as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_builder::blocklist::normalise;

fuzz_target!(|data: &[u8]| {
    let Ok(list) = normalise("list", data) else { return };
    assert_eq!(normalise("list", &list).as_deref(), Ok(list.as_slice()));
    let names: Vec<&[u8]> = list.split(|&byte| byte == b'\n').filter(|name| !name.is_empty()).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(names.iter().all(|name| !name.iter().any(u8::is_ascii_uppercase)));
});
