//! What the screen found. Deterministic: the same tree, command line, kernel, waivers and rules give the same bytes.

use crate::policy::RuleText;
use serde::{Deserialize, Serialize};
use std::fmt;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::{Result, Sha256};

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

impl Finding {
    /// A finding of a rule, not waived.
    pub fn new(rule: RuleText<'_>, path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            rule: rule.id.into(),
            path: path.into(),
            line: None,
            what: what.into(),
            sha256: None,
            why: rule.why.into(),
            mend: rule.mend.into(),
            waived: None,
        }
    }

    /// `/etc/unbound.conf:12`
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.clone(),
        }
    }

    /// It says that something could not be judged, not that something is wrong.
    pub fn unjudged(&self) -> bool {
        self.rule.starts_with("judge.") || self.rule == "elf.unreadable"
    }
}

impl AsMut<Self> for Finding {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedAt {
    /// Files, links and devices; folders are not counted.
    pub files: u64,
    /// Of all files, as they lie there.
    pub bytes: u64,
}

/// The screen's result. JSON sample:
/// ```json
/// {"policy":"ab…","rules":68,"tree":"cd…","kernel":"ef…","cmdline":"audit=0 quiet …","dev":false,
///  "looked_at":{"files":71,"bytes":23837952},"findings":[{"rule":"log.import", …}]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Hash of the rule files.
    pub policy: Sha256,
    /// How many rules these are.
    pub rules: u64,
    /// Hash of what was looked at: see [`crate::screen_subject`].
    pub tree: Sha256,
    /// Of the kernel's file; none when there was no kernel to judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Sha256>,
    /// None: it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    pub dev: bool,
    /// What was not judged because the user said so: `cmdline`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    pub looked_at: LookedAt,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Nothing was found, or everything found is waived.
    pub fn clean(&self) -> bool {
        self.open().next().is_none()
    }

    /// Findings that stop the build.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_none())
    }

    /// The zero-log compliance hash: SHA-256 of the report's canonical JSON (RFC 8785).
    pub fn compliance_hash(&self) -> Result<Sha256> {
        Ok(Sha256::of(&to_canonical_json(self)?))
    }

    /// 0 clean · 1 refused · 2 something could not be judged.
    pub fn exit_code(&self) -> u8 {
        let open: Vec<bool> = self.open().map(Finding::unjudged).collect();
        match (open.is_empty(), open.contains(&true)) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        }
    }
}

/// For people, see `text.rs`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::findings(&self.findings))?;
        f.write_str(&crate::text::summary(self))
    }
}
