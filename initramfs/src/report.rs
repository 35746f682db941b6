//! `4-screen.json`: what the screen found. Deterministic: the same tree and rules give the same bytes.

use crate::screen::Context;
use crate::tree::Tree;
use serde::{Deserialize, Serialize};
use std::fmt;
use vitrine_attest::Sha256;

/// One finding. Sorted by rule, then path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// `log.import`
    pub rule: String,
    /// Path in the image, or `cmdline`.
    pub path: String,
    /// In a text, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// `imports __syslog_chk, openlog`
    pub what: String,
    /// Of the file, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    pub why: String,
    pub mend: String,
    /// The recipe's reason to accept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
}

/// The screen's result. JSON sample:
/// ```json
/// {"policy":"ab…","tree":"cd…","cmdline":"audit=0 quiet …","dev":false,"findings":[{"rule":"log.import", …}]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Hash of the rule files.
    pub policy: Sha256,
    /// Hash of the tree's listing, `3-tree.txt`.
    pub tree: Sha256,
    pub cmdline: String,
    pub dev: bool,
    pub findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(policy: Sha256, tree: &Tree, context: &Context, findings: Vec<Finding>) -> Self {
        let tree = Sha256::of(tree.listing().as_bytes());
        Self { policy, tree, cmdline: context.cmdline.clone(), dev: context.dev, findings }
    }

    /// Nothing was found, or everything found is waived.
    pub fn clean(&self) -> bool {
        self.open().next().is_none()
    }

    /// Findings that stop the build.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_none())
    }
}

/// For people: one paragraph for each finding that stops the build, then the accepted ones.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in self.open() {
            writeln!(f, "{}  {}: {}", finding.rule, finding.path, finding.what)?;
            writeln!(f, "    why:  {}\n    mend: {}", finding.why, finding.mend)?;
        }
        for finding in &self.findings {
            if let Some(reason) = &finding.waived {
                writeln!(f, "accepted  {}  {}: {}\n    reason: {reason}", finding.rule, finding.path, finding.what)?;
            }
        }
        Ok(())
    }
}
