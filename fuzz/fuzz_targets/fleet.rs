//! Fleets. Invariants, for any text:
//! - reading never panics, and a refusal names at least one line, none after the text's end;
//! - what was read has servers, each with a name of its own, a statement and somebody who may sign it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::path::Path;
use vitrine_verifier::fleet::parse;

fuzz_target!(|text: &str| match parse(text, Path::new("/etc/fleet")) {
    Ok(fleet) => {
        assert!(!fleet.members.is_empty() && fleet.concurrency > 0);
        let names: BTreeSet<&str> = fleet.members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names.len(), fleet.members.len());
        for member in &fleet.members {
            let sources = &fleet.sources[member.sources];
            assert!(!sources.statements.is_empty() && (sources.key.is_some() || sources.policy.is_some()));
            assert!(member.interval.as_seconds() > 0 && member.timeout.as_seconds() > 0);
        }
    }
    Err(problems) => {
        assert!(!problems.is_empty());
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
    }
});
