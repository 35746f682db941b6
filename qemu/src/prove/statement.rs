//! The report as an in-toto Statement (v1) in a DSSE envelope, signed with Ed25519, as a release is.

use super::report::Report;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::statement::{Statement, Subject};
use vitrine_attest::vkey::MaybeEd25519;
use vitrine_attest::{private_key, Error, Result};
use zeroize::Zeroizing;

/// `predicateType` of a report.
pub const REPORT_TYPE: &str = "urn:vitrine:zero-log-report:v1";
/// The signed report beside the image.
pub const SIGNED: &str = "zero-log-report.dsse.json";
/// The report without a signature.
pub const UNSIGNED: &str = "zero-log-report.json";
/// Longest key file, in bytes: a PKCS#8 PEM of Ed25519 has 119.
const KEY_LIMIT: usize = 4096;

/// The subject is the image's Authenticode digest, which the firmware measures and the release names.
fn statement(report: &Report) -> Statement<&Report> {
    let subject = Subject::new(&report.image.name, report.image.authenticode);
    Statement::about(vec![subject], REPORT_TYPE, report)
}

/// Canonical JSON of the statement: one report has one spelling.
///
/// # Errors
/// Our own bug.
pub fn payload(report: &Report) -> Result<Vec<u8>> {
    to_canonical_json(&statement(report))
}

/// # Errors
/// Our own bug.
pub fn sign(report: &Report, key: &SigningKey) -> Result<Envelope> {
    dsse::sign(&statement(report), key)
}

/// The signed statement, when its signature holds and it is a report. That the report is true it does not show: whoever
/// doubts it runs the proof again.
///
/// # Errors
/// Blame Artefact: it is not by this key, or no report.
pub fn verify(envelope: &Envelope, key: &impl MaybeEd25519) -> Result<Statement<Value>> {
    let payload = dsse::verify_payload(envelope, key).map_err(|e| e.within("zero-log report"))?;
    Statement::from_payload(payload, REPORT_TYPE)
        .map_err(|why| Error::artefact(format!("zero-log report: {why}"), "get report and key again, by two ways"))
}

/// A release key (PKCS#8 PEM), as `vitrine keygen` makes it.
///
/// # Errors
/// When the file is none.
pub fn signing_key(path: &Path) -> Result<SigningKey> {
    const HINT: &str = "give the release key of `vitrine keygen`";
    let mut pem = Zeroizing::new(Vec::with_capacity(KEY_LIMIT)); // so that it never moves and leaves a copy
    std::fs::File::open(path)
        .and_then(|file| file.take(KEY_LIMIT as u64).read_to_end(&mut pem))
        .map_err(|e| Error::input(format!("{}: {e}", path.display()), HINT))?;
    private_key::ed25519(&pem, path.display(), HINT)
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;
    use vitrine_attest::statement::RELEASE_TYPE;

    #[test]
    fn signed_written_read_verified() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let envelope = sign(&report(vec![]), &key).unwrap();
        let read = Envelope::from_json(&envelope.to_json().unwrap()).unwrap();
        let statement = verify(&read, &key.verifying_key()).unwrap();
        assert_eq!(statement.predicate["verdict"], "not-judged");
        assert_eq!(statement.subject[0].name, "exit");
        assert!(verify(&read, &SigningKey::from_bytes(&[2; 32]).verifying_key()).is_err(), "another key");
        let mut bad = [read.clone(), read.clone(), read];
        bad[0].payload[9] ^= 1;
        bad[1].payload_type = "text/plain".into();
        bad[2].signatures.clear();
        assert!(bad.iter().all(|envelope| verify(envelope, &key.verifying_key()).is_err()));
    }

    /// A release is no report.
    #[test]
    fn another_statement_of_the_same_key_is_refused() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let envelope = dsse::sign(&Statement::about(vec![], RELEASE_TYPE, report(vec![])), &key).unwrap();
        assert!(verify(&envelope, &key.verifying_key()).unwrap_err().what.contains(RELEASE_TYPE));
    }
}
