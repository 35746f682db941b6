//! Policies of logs and witnesses. Invariants, for any bytes:
//! - reading never panics, and a refusal names at least one line, none after the file's end;
//! - a policy that was read keeps to its limits, and nobody's signature is not enough for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::tlog_policy::{Policy, ENTRIES_LIMIT};

fuzz_target!(|data: &[u8]| match Policy::parse(data) {
    Ok(policy) => {
        assert!(policy.logs.len() <= ENTRIES_LIMIT && policy.witnesses.len() <= ENTRIES_LIMIT);
        assert!(!policy.words().is_empty());
        let origin = policy.logs.first().map_or("log.example", |log| log.key.name());
        assert!(policy.satisfied(origin, &[]).is_err());
    }
    Err(mistakes) => {
        assert!(!mistakes.is_empty());
        let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!(mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line)));
    }
});
