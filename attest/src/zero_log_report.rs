//! What the behavioural proof says of an image, as far as everybody has to read it: `zero-log-report.dsse.json`.
//!
//! `vitrine-qemu prove` makes it and knows all of its fields. Here only its kind is known, and that it has to say what it
//! does not prove. Not to be taken for the screen's statement, [`crate::zero_log`].

use crate::predicate::{subjects, Predicate};
use crate::statement::Subject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `predicateType`.
pub const REPORT_TYPE: &str = "urn:vitrine:zero-log-report:v1";

/// The subject is the image's Authenticode digest.
///
/// That a report is true it does not show: whoever doubts it runs the proof again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZeroLogReport {
    /// `nothing-found`, `residue`, `not-judged`.
    pub verdict: String,
    /// Never empty.
    pub not_proven: Vec<String>,
    /// Everything else, unread.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Predicate for ZeroLogReport {
    const TYPE: &'static str = REPORT_TYPE;

    fn check(&self, subject: &[Subject]) -> Result<(), String> {
        subjects(subject)?;
        if self.not_proven.iter().all(|text| text.trim().is_empty()) {
            return Err("it does not say what it does not prove".into());
        }
        Ok(())
    }
}
