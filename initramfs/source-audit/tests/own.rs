//! Our own programs that see what users send and ask: no finding, none for review either, nothing that could not be judged.

use std::fs;
use std::path::{Path, PathBuf};
use vitrine_source_audit::{audit, Audit, Level, Options, Rules};

fn sources(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(program).join("src")
}

fn judge(folder: &Path) -> Audit {
    audit(folder, &Options::default(), &Rules::standard()).unwrap()
}

fn open(audit: &Audit) -> usize {
    audit.open(Level::Error).count() + audit.open(Level::Review).count() + audit.not_judged.len()
}

#[test]
fn programs_pass_their_own_audit() {
    for program in ["gateway", "resolver", "metrics", "child"] {
        let audit = judge(&sources(program));
        assert_eq!((audit.exit_code(), open(&audit)), (0, 0), "{program}: {audit}");
        assert!(audit.files.get("rust").is_some_and(|files| *files > 3), "{program}: nothing was looked at: {audit}");
    }
}

/// The twin: one line more, and it is found.
#[test]
fn a_line_that_prints_a_path_is_found() {
    let text = fs::read_to_string(sources("gateway").join("forward/mod.rs")).unwrap();
    let place = "let (parts, body) = request.into_parts();";
    assert!(text.contains(place));
    let folder = tempfile::tempdir().unwrap();
    let line = "tracing::info!(\"{}\", parts.uri); eprintln!(\"{}\", parts.uri.path());";
    fs::write(folder.path().join("mod.rs"), text.replacen(place, &[place, line].concat(), 1)).unwrap();
    let audit = judge(folder.path());
    let rules: Vec<&str> = audit.open(Level::Error).map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["rust.logger", "rust.print"], "{audit}");
}
