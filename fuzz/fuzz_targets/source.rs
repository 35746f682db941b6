//! Source code for the audit. The first byte chooses the language. Invariants, for any bytes:
//! - judging never panics and ends;
//! - what is no UTF-8 is not judged, and never accepted;
//! - the same bytes give the same report.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vitrine_source_audit::{audit_bytes, Rules};

const NAMES: [&str; 14] = [
    "a.py",
    "a.js",
    "a.ts",
    "a.tsx",
    "a.go",
    "a.rs",
    "a.sh",
    "Cargo.toml",
    "go.mod",
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "a.service",
    "Dockerfile",
];
static RULES: LazyLock<Rules> = LazyLock::new(Rules::standard);

fuzz_target!(|bytes: &[u8]| {
    let Some((first, code)) = bytes.split_first() else { return };
    let name = NAMES[usize::from(*first) % NAMES.len()];
    let report = audit_bytes(name, code, &RULES);
    assert!(std::str::from_utf8(code).is_ok() || report.exit_code() == 2);
    assert_eq!(report, audit_bytes(name, code, &RULES));
});
