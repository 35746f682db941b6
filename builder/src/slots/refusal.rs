//! Why an image may not be started.

use serde::Serialize;
use std::fmt;
use vitrine_attest::Error;

/// One reason: a stable word, those of `vitrine-verify` where it has one for the same, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub reason: &'static str,
    pub detail: String,
}

impl Refusal {
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

/// Exit code 1, with all reasons; what to do is said for the first one.
pub fn error(what: &str, refused: &[Refusal]) -> Error {
    let reasons: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let hint = refused.first().map_or("", |first| advice(first.reason));
    Error::artefact(format!("{what} is refused: {}", reasons.join("; and ")), hint)
}

fn advice(reason: &str) -> &'static str {
    match reason {
        "statement-expired" => "publish a new statement of this image, or install a newer release",
        "revoked" | "below-floor" => "install a newer release",
        "statement-signature-invalid" => "give the key that has signed the release with --key",
        "seq-not-greater" | "version-again" => "build it anew, with --set release.seq=N and --set version=V",
        "another-image-name" => "use another folder for another image",
        "pcr-7-differs" => "give the secure-boot.json that the machines have now, or publish a statement for it",
        "firmware-refuses" => "install a newer release: what stands in dbx starts nowhere",
        _ => "install the release again, with `vitrine slots install`",
    }
}
