//! `cases.toml`: what each file of the kit is, and what a verifier has to say to it. Written by hand.
//!
//! ```toml
//! [[case]]
//! name = "magic-wrong"                # cases/magic-wrong.json
//! defect = "the signed structure begins with ff544348"
//! why = "whoever signs foreign data signs a forged quote"
//! source = "A: magic wrong"           # of the list of attacks in the README; B: a platform; C: a control
//! exit = 1
//! reason = "magic-wrong"              # the word for this defect
//! failures = ["V09 magic-wrong"]      # all checks that fail, with their words, in order
//! ```

use serde::{Deserialize, Serialize};
use vitrine_attest::{Error, Result};

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub version: u32,
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// One file of the kit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub defect: String,
    pub why: String,
    pub source: String,
    /// Of `vitrine-verify check`: 0 accepted, 1 rejected, 2 could not judge.
    pub exit: u8,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub failures: Vec<String>,
    #[serde(default)]
    pub skipped: Vec<String>,
    /// Instead of `trust/release.dsse.json`.
    #[serde(default)]
    pub statement: Option<String>,
    /// Instead of `trust/release.pub`.
    #[serde(default)]
    pub key: Option<String>,
    /// The person gives no EK roots.
    #[serde(default)]
    pub without_ek_roots: bool,
    /// For bare evidence: the nonce that the person names.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The session of this other case: the defect is in what the person demands, or was given beside the statement.
    #[serde(default)]
    pub session: Option<String>,
    /// What the person demands beyond the checks (docs/verify.md has the form).
    #[serde(default)]
    pub policy: Option<String>,
    /// That the statement stands in a log.
    #[serde(default)]
    pub proof: Option<String>,
    /// Revocations that the person knows of.
    #[serde(default)]
    pub revocations: Vec<String>,
    /// What others got who built the image again.
    #[serde(default)]
    pub verdicts: Vec<String>,
}

impl List {
    /// # Errors
    /// When it is malformed, or says something twice.
    pub fn parse(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        if list.version != 1 {
            return Err(wrong(format!("version {} is unknown", list.version)));
        }
        for (at, case) in list.cases.iter().enumerate() {
            if list.cases[..at].iter().any(|other| other.name == case.name) {
                return Err(wrong(format!("{} stands twice", case.name)));
            }
            case.check()?;
        }
        Ok(list)
    }
}

impl Case {
    /// File of the session, below the kit's folder.
    pub fn file(&self) -> String {
        format!("cases/{}.json", self.session.as_ref().unwrap_or(&self.name))
    }

    /// Files that the person has beside statement, key and roots, below the kit's folder.
    pub fn demands(&self) -> impl Iterator<Item = &String> {
        self.policy.iter().chain(&self.proof).chain(&self.revocations).chain(&self.verdicts)
    }

    pub fn statement(&self) -> &str {
        self.statement.as_deref().unwrap_or("trust/release.dsse.json")
    }

    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("trust/release.pub")
    }

    /// A rejected case names its reason, and the reason is one of its failures.
    fn check(&self) -> Result<()> {
        let named = self.reason.as_ref().is_some_and(|reason| {
            self.failures.iter().any(|failure| failure.split(' ').nth(1) == Some(reason.as_str()))
        });
        let consistent = match self.exit {
            0 => self.reason.is_none() && self.failures.is_empty(),
            1 => named,
            2 => self.failures.is_empty(),
            _ => false,
        };
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if consistent && plain(&self.name) {
            Ok(())
        } else {
            Err(wrong(format!("{}: name, exit code, reason and failures do not agree", self.name)))
        }
    }
}

fn wrong(what: String) -> Error {
    Error::input(format!("cases.toml: {what}"), "mend attest/testkit/cases.toml")
}
