//! What the audit says. Deterministic: the same tree and rules give the same bytes.

use crate::rules::Level;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use vitrine_attest::Sha256;
use vitrine_initramfs::Finding;

/// The result. JSON sample:
/// ```json
/// {"policy":"ab…","without":["c"],"files":{"python":12},"data":3,
///  "findings":[{"level":"error","rule":"python.print","path":"app.py","line":4, …}],
///  "not_judged":[{"path":"x.rb","why":"ruby, which the audit cannot read"}]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Hash of the rule files.
    pub policy: Sha256,
    /// Languages that the caller left out.
    pub without: Vec<String>,
    /// Judged files of each language.
    pub files: BTreeMap<&'static str, u64>,
    /// Files that are no code: not looked at.
    pub data: u64,
    /// Sorted by path, line, rule.
    pub findings: Vec<Found>,
    pub not_judged: Vec<NotJudged>,
}

/// A finding and its level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub level: Level,
    #[serde(flatten)]
    pub finding: Finding,
}

/// What is found beside the rules, such as a waiver that nothing needs, is an error.
impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self { level: Level::Error, finding }
    }
}

impl AsMut<Finding> for Found {
    fn as_mut(&mut self) -> &mut Finding {
        &mut self.finding
    }
}

/// A path that nobody looked at, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotJudged {
    pub path: String,
    pub why: String,
}

impl Audit {
    /// Findings that no waiver accepts.
    pub fn open(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.level == level && f.finding.waived.is_none()).map(|f| &f.finding)
    }

    /// 0: nothing was found. 1: refused. 2: something could not be judged, or a person has to look.
    pub fn exit_code(&self) -> u8 {
        if self.open(Level::Error).next().is_some() {
            1
        } else if self.open(Level::Review).next().is_some() || !self.not_judged.is_empty() {
            2
        } else {
            0
        }
    }
}

/// For people: what was left out first, then each finding, then the sum.
impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.without.is_empty() {
            writeln!(f, "left out by the caller: {}", self.without.join(", "))?;
        }
        let (open, waived): (Vec<&Found>, Vec<&Found>) =
            self.findings.iter().partition(|found| found.finding.waived.is_none());
        for Found { level, finding } in open {
            let kind = if *level == Level::Error { "" } else { "review  " };
            writeln!(f, "{kind}{}  {}: {}", finding.rule, finding.place(), finding.what)?;
            writeln!(f, "    why:  {}\n    mend: {}", finding.why, finding.mend)?;
        }
        for Found { finding, .. } in waived {
            let reason = finding.waived.as_deref().unwrap_or_default();
            writeln!(f, "accepted  {}  {}: {}\n    reason: {reason}", finding.rule, finding.place(), finding.what)?;
        }
        for not in &self.not_judged {
            writeln!(f, "not judged  {}: {}", not.path, not.why)?;
        }
        let files: Vec<String> = self.files.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(
            f,
            "files: {}; data, not looked at: {}",
            if files.is_empty() { "none".into() } else { files.join(", ") },
            self.data
        )?;
        let (errors, reviews) = (self.open(Level::Error).count(), self.open(Level::Review).count());
        writeln!(f, "errors: {errors}, for review: {reviews}, not judged: {}", self.not_judged.len())
    }
}
