//! `vitrine screen --source DIR`: the source audit.

use super::Outcome;
use crate::recipe::Disk;
use crate::waiver_file;
use serde_json::Value;
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{sarif, Finding, RuleText};
use vitrine_source_audit::{audit, Audit, Options, Rules};

/// What could not be judged, in SARIF, which has no other place for it.
const UNJUDGED: RuleText<'static> = RuleText {
    id: "judge.source",
    why: "what was not looked at may log anything",
    mend: "make it readable, or leave its language out by name: --without LANG",
};

/// Audits `source`. Exit code 0: nothing was found. 1: refused. 2: something could not be judged.
///
/// # Errors
/// Blame Input, when the folder or the waivers cannot be read, or `without` names no language.
pub fn run(source: &Path, waiver_file: Option<&PathBuf>, without: &[String], as_sarif: bool) -> Result<Outcome> {
    let audit = judge(source, waiver_file, without)?;
    if as_sarif {
        let text = format!("{:#}\n", to_sarif(&audit));
        return Ok(Outcome { text: text.into_bytes(), json: None, code: audit.exit_code() });
    }
    let text = format!("{audit}{}\n", verdict(audit.exit_code()));
    Ok(Outcome { code: audit.exit_code(), ..Outcome::new(text, &audit)? })
}

fn judge(source: &Path, waiver_file: Option<&PathBuf>, without: &[String]) -> Result<Audit> {
    let waivers = match waiver_file {
        Some(path) => read_waivers(path)?,
        None => Vec::new(),
    };
    let options = Options { waivers, without: without.iter().cloned().collect() };
    audit(source, &options, &Rules::standard())
}

fn to_sarif(audit: &Audit) -> Value {
    let unjudged = audit.not_judged.iter().map(|at| Finding::new(UNJUDGED, &at.path, &at.why));
    let findings: Vec<Finding> = audit.findings.iter().map(|found| found.finding.clone()).chain(unjudged).collect();
    sarif("vitrine", env!("CARGO_PKG_VERSION"), &Rules::standard().table(), &findings)
}

fn read_waivers(path: &Path) -> Result<Vec<vitrine_attest::statement::Waiver>> {
    waiver_file::read(path, &Disk)?.ok_or_else(|| {
        Error::input(format!("{}: is no UTF-8", path.display()), "write [[waiver]] with rule, path and reason")
    })
}

fn verdict(code: u8) -> &'static str {
    match code {
        0 => "let through",
        1 => "refused",
        _ => "could not be judged altogether",
    }
}
