//! Policies. Invariants, for any text:
//! - reading never panics, and a refusal names at least one line, none after the text's end;
//! - what was read can be said in words and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_verifier::policy::parse;

fuzz_target!(|text: &str| match parse(text) {
    Ok(policy) => assert!(!policy.text().is_empty() && policy.json()["version"] == 1),
    Err(problems) => {
        assert!(!problems.is_empty());
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
    }
});
