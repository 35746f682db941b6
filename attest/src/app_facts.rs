//! What a release statement says of the program of the operator's own in the image (`config.app`).

use crate::Sha256;
use serde::{Deserialize, Serialize};

/// ```json
/// {"audit":{"errors":0,"policy":"<64 hex>","report":"<64 hex>","reviewed":0,"waived":1,"without":[]},
///  "files":"<64 hex>","program":"interpreted","sources":"<64 hex>"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppFacts {
    /// Over everything in the program's root, packages' files included: for each file and link, sorted by path, the line
    /// `<mode> <64 hex>  <path>` or `<mode> -> <target>  <path>` with mode and file type in octal and LF. Paths are those that
    /// the program sees.
    pub files: Sha256,
    pub program: AppProgram,
    /// Over what the audit read: `<64 hex>  <path>` each, sorted by path, as `sha256sum` writes it.
    pub sources: Sha256,
    pub audit: AppAudit,
}

/// How the sources that were audited become what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppProgram {
    /// An interpreter of a Debian package runs them: the files that run are the files that were audited.
    Interpreted,
    /// The operator says that the program was made from them. Nothing shows it.
    Binary,
}

/// What the source audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppAudit {
    /// Of `app-audit.json`.
    pub report: Sha256,
    /// Of the rules.
    pub policy: Sha256,
    /// Findings of level error that no waiver accepts. `vitrine build` makes no image with one.
    pub errors: u64,
    /// Findings of level error that a waiver accepts.
    pub waived: u64,
    /// Findings for review that a person looked at, and accepted by a waiver.
    pub reviewed: u64,
    /// Languages that were left out by name.
    pub without: Vec<String>,
}

impl AppFacts {
    /// Whether what runs is what was audited, all of it, and nothing was found that is not accepted.
    pub fn is_audited(&self) -> bool {
        self.program == AppProgram::Interpreted && self.audit.errors == 0 && self.audit.without.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_and_no_other_fields() {
        let hash = Sha256::ZERO;
        let text = format!(
            r#"{{"audit":{{"errors":0,"policy":"{hash}","report":"{hash}","reviewed":0,"waived":1,"without":[]}},"files":"{hash}","program":"interpreted","sources":"{hash}"}}"#
        );
        let facts: AppFacts = serde_json::from_str(&text).unwrap();
        assert_eq!(crate::canonical::to_canonical_json(&facts).unwrap(), text.as_bytes());
        assert!(facts.is_audited());
        for (from, to) in [("interpreted", "binary"), ("\"errors\":0", "\"errors\":1"), ("[]", "[\"c\"]")] {
            let other: AppFacts = serde_json::from_str(&text.replace(from, to)).unwrap();
            assert!(!other.is_audited(), "{to}");
        }
        for (from, to) in [("interpreted", "compiled"), ("\"errors\"", "\"error\""), ("\"files\"", "\"file\"")] {
            assert!(serde_json::from_str::<AppFacts>(&text.replace(from, to)).is_err(), "{to}");
        }
    }
}
