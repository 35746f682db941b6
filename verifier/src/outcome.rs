//! What one check gives: passed, failed with expected and got, or skipped because an input was not given.

use serde::Serialize;

/// The result of one check. `Ok` carries a remark for the report, often empty.
pub type CheckResult = Result<String, Stop>;

/// A check that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Failed(Failure),
    /// The person gave no input for it. Never counts as passed.
    Skipped(&'static str),
}

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code, such as `signature-invalid`.
    pub reason: &'static str,
    pub detail: String,
    pub expected: Option<String>,
    pub got: Option<String>,
}

/// Reason code of a check whose input was unusable: it could not be made, and counts as failed.
pub const NOT_REACHED: &str = "not-reached";

impl Failure {
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), expected: None, got: None }
    }

    /// A comparison that failed.
    pub fn differs(
        reason: &'static str,
        detail: impl Into<String>,
        expected: impl ToString,
        got: impl ToString,
    ) -> Self {
        Self { expected: Some(expected.to_string()), got: Some(got.to_string()), ..Self::new(reason, detail) }
    }

    pub fn not_reached(because: &str) -> Self {
        Self::new(NOT_REACHED, format!("not reached because {because}"))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// How a check ended, as it stands in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Passed,
    Failed,
    Skipped,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// `V08`.
    pub code: &'static str,
    pub title: &'static str,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
}

impl CheckReport {
    pub fn new(code: &'static str, title: &'static str, result: CheckResult) -> Self {
        let empty = Self {
            code,
            title,
            status: Status::Passed,
            reason: None,
            detail: String::new(),
            expected: None,
            got: None,
        };
        match result {
            Ok(detail) => Self { detail, ..empty },
            Err(Stop::Skipped(why)) => Self { status: Status::Skipped, detail: why.into(), ..empty },
            Err(Stop::Failed(Failure { reason, detail, expected, got })) => {
                Self { status: Status::Failed, reason: Some(reason), detail, expected, got, ..empty }
            }
        }
    }
}
