//! Release keys, and keys of logs and witnesses. Invariants, for any bytes:
//! - reading never panics;
//! - a key has one spelling: what was read is written as it was, up to the line end, and read back as the same key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::vkey::NoteKey;

fuzz_target!(|data: &[u8]| {
    if let Some(key) = std::str::from_utf8(data).ok().and_then(|text| NoteKey::of_log(text).ok()) {
        let text = key.to_string();
        assert_eq!(NoteKey::of_log(&text), Ok(key));
        assert!(text.as_bytes().eq_ignore_ascii_case(data));
    }
    let Ok(key) = NoteKey::from_file(data) else { return };
    let text = key.to_string();
    assert_eq!(text.parse::<NoteKey>(), Ok(key.clone()));
    assert_eq!(NoteKey::from_file(format!("{text}\n").as_bytes()), Ok(key));
    let given = std::str::from_utf8(data).expect("a key is text");
    // hex digits of the key id may be upper case
    assert!(given.strip_suffix('\n').unwrap_or(given).eq_ignore_ascii_case(&text));
});
