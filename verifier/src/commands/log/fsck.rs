//! `vitrine-verify log fsck`

use crate::cli::FsckArgs;
use crate::commands::beacon::read_keys;
use crate::commands::Done;
use crate::log::fsck;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::Result;

pub fn run(args: &FsckArgs) -> Result<Done> {
    let keys = args.key.as_deref().map(read_keys).transpose()?.unwrap_or_default();
    let terminal = std::io::stderr().is_terminal();
    let progress = |done: u64, all: u64| {
        if terminal && done.is_multiple_of(256) {
            let _ = write!(std::io::stderr(), "\r{done} of {all} bundles");
        }
    };
    let findings = fsck(&args.log, &keys, &progress)?;
    if terminal {
        let _ = write!(std::io::stderr(), "\r                              \r");
    }
    let exit_code = u8::from(findings.found > 0);
    if args.json {
        let json = to_canonical_json(&findings)?;
        return Ok(Done { stdout: format!("{}\n", String::from_utf8_lossy(&json)), exit_code });
    }
    let mut text = String::new();
    for finding in &findings.findings {
        let _ = writeln!(text, "{}: {}", printable(&finding.file), printable(&finding.what));
    }
    if findings.found > findings.findings.len() {
        let _ = writeln!(text, "and {} more", findings.found - findings.findings.len());
    }
    let verdict = match findings.found {
        0 => "all is well".into(),
        1 => "1 finding".into(),
        many => format!("{many} findings"),
    };
    let index = findings.indexed.map_or("no index".into(), |size| format!("{size} in its index"));
    let _ = writeln!(
        text,
        "{}: {} entries, {index}, {} files: {verdict}\nroot {}",
        findings.origin, findings.entries, findings.files, findings.root
    );
    if findings.unfinished {
        text += "A change was promised that is not published: the next `log append` finishes it.\n";
    }
    Ok(Done { stdout: text, exit_code })
}
