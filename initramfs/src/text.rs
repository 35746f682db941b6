//! Findings for people: by rule, each rule's reason once, then a summary.

use crate::report::{Finding, Report};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vitrine_attest::Sha256;

/// Most places of one rule that are listed; `--json` and `--sarif` give all of them.
const MOST_PLACES: usize = 12;

/// ```text
/// log.import: it calls the system log's functions …          3 findings
///   /usr/bin/a: imports openlog
///   mend: build it without logging …
/// accepted: log.import /usr/lib/libcrypto.so.3: imports openlog
///   reason: …
/// ```
/// Writing to a String cannot fail, so the results of `writeln!` are dropped.
pub fn findings(findings: &[Finding]) -> String {
    let mut out = String::new();
    let mut by_rule: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.waived.is_none()) {
        by_rule.entry(&finding.rule).or_default().push(finding);
    }
    for (rule, group) in by_rule {
        let head = if group[0].unjudged() { "could not judge" } else { "found" };
        let _ = writeln!(out, "{rule}  {head}: {}", group.len());
        let _ = writeln!(out, "  why:  {}", group[0].why);
        let files = by_file(&group);
        for (finding, names) in files.iter().take(MOST_PLACES) {
            let more = if *names > 1 { format!(" (and {} more names of this file)", names - 1) } else { String::new() };
            let _ = writeln!(out, "    {}: {}{more}", finding.place(), finding.what);
        }
        if files.len() > MOST_PLACES {
            let _ = writeln!(out, "    and {} more: --json lists all", files.len() - MOST_PLACES);
        }
        let _ = writeln!(out, "  mend: {}", group[0].mend);
    }
    for finding in findings {
        if let Some(reason) = &finding.waived {
            let _ = writeln!(out, "accepted  {}  {}: {}", finding.rule, finding.place(), finding.what);
            let _ = writeln!(out, "    reason: {reason}");
        }
    }
    out
}

/// Findings without a line in files with the same bytes, such as the hundreds of names of a busybox, become one.
fn by_file<'f>(group: &[&'f Finding]) -> Vec<(&'f Finding, usize)> {
    let mut seen: BTreeMap<Sha256, usize> = BTreeMap::new();
    let mut files: Vec<(&Finding, usize)> = Vec::new();
    for finding in group {
        let same = finding.sha256.filter(|_| finding.line.is_none());
        match same.and_then(|sum| seen.get(&sum)) {
            Some(number) => files[*number].1 += 1,
            None => {
                seen.extend(same.map(|sum| (sum, files.len())));
                files.push((finding, 1));
            }
        }
    }
    files
}

/// `looked at 71 files, 22.7 MiB, by 68 rules: 0 findings, 1 accepted, 0 could not be judged`
pub fn summary(report: &Report) -> String {
    let (unjudged, open): (Vec<&Finding>, Vec<&Finding>) = report.open().partition(|finding| finding.unjudged());
    let waived = report.findings.len() - unjudged.len() - open.len();
    let mib = report.looked_at.bytes * 10 / (1 << 20);
    format!(
        "looked at {} files, {}.{} MiB, by {} rules: {} found, {waived} accepted, {} could not be judged\n",
        report.looked_at.files,
        mib / 10,
        mib % 10,
        report.rules,
        open.len(),
        unjudged.len(),
    )
}
