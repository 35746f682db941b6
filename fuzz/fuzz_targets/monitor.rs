//! What a monitor reads that others wrote: its file, evidence files, its state. Invariants, for any bytes:
//! - reading never panics, and a refusal of the file names at least one line, none after its end;
//! - an evidence file that was read is written as it was, and without any key it proves nothing;
//! - a state that was read is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use vitrine_verifier::monitor::{parse, Evidence, Judged, State};

fuzz_target!(|data: &[u8]| {
    if let Ok(evidence) = Evidence::from_file(data) {
        assert_eq!(evidence.to_file().expect("it was small enough"), data);
        assert!(!matches!(evidence.judge(&[]), Ok(Judged::Proven(_))));
    }
    if let Ok(state) = State::from_file(data) {
        let again = state.to_file().expect("it was small enough");
        assert_eq!(State::from_file(&again), Ok(state));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text, Path::new("/etc/monitor")) {
        Ok(config) => {
            assert!(!config.logs.is_empty() && config.every.as_seconds() > 0);
            for log in &config.logs {
                assert!((1..=log.release_keys.len()).contains(&log.threshold) && log.time.as_seconds() > 0);
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
            assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
        }
    }
});
