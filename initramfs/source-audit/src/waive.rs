//! Exceptions: `[[waiver]]` with rule, path and reason, as in a recipe.

use crate::report::Found;
use crate::rules::Level;
use serde::Deserialize;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::Finding;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// Reads a file of waivers.
///
/// # Errors
/// Blame Input, when it is no TOML of that form.
pub fn parse(text: &str) -> Result<Vec<Waiver>> {
    let read = toml::from_str::<File>(text);
    let hint = "write [[waiver]] with rule, path and reason, as in a recipe";
    Ok(read.map_err(|e| Error::input(format!("these are no waivers: {e}"), hint))?.waiver)
}

/// Marks what is waived. A waiver is for one rule in one file; one that nothing needs, or without a reason, is a finding.
pub fn apply(findings: &mut Vec<Found>, waivers: &[Waiver]) {
    for waiver in waivers {
        let mut used = false;
        let fits = |found: &&mut Found| found.finding.rule == waiver.rule && found.finding.path == waiver.path;
        for found in findings.iter_mut().filter(fits) {
            used = true;
            if !waiver.reason.trim().is_empty() {
                found.finding.waived.get_or_insert_with(|| waiver.reason.clone());
            }
        }
        if !used {
            let what = format!("waives {}, which was not found there", waiver.rule);
            let why = "an exception that nothing needs would hide the next finding";
            findings.push(found("waiver.unused", waiver, what, why, "take this [[waiver]] out"));
        }
        if waiver.reason.trim().is_empty() {
            let what = format!("waives {} without a reason", waiver.rule);
            let why = "exceptions are there for people to judge";
            findings.push(found("waiver.reason", waiver, what, why, "write the reason into this [[waiver]]"));
        }
    }
}

fn found(rule: &str, waiver: &Waiver, what: String, why: &str, mend: &str) -> Found {
    let finding = Finding {
        rule: rule.into(),
        path: waiver.path.clone(),
        line: None,
        what,
        sha256: None,
        why: why.into(),
        mend: mend.into(),
        waived: None,
    };
    Found { level: Level::Error, finding }
}
