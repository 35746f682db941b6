//! The report as an in-toto Statement (v1) in a DSSE envelope, signed with Ed25519, as a release is.

use super::report::Report;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::Serialize;
use std::path::Path;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::hex;
use vitrine_attest::dsse::{pae, Envelope, EnvelopeSignature};
use vitrine_attest::statement::{PAYLOAD_TYPE, STATEMENT_TYPE};
use vitrine_attest::{Error, Result, Sha256};

/// `predicateType` of a report.
pub const REPORT_TYPE: &str = "urn:vitrine:zero-log-report:v1";
/// The signed report beside the image.
pub const SIGNED: &str = "zero-log-report.dsse.json";
/// The report without a signature.
pub const UNSIGNED: &str = "zero-log-report.json";

/// The subject is the image's Authenticode digest, which the firmware measures and the release names.
#[derive(Serialize)]
struct Statement<'r> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: [Subject<'r>; 1],
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: &'r Report,
}

#[derive(Serialize)]
struct Subject<'r> {
    name: &'r str,
    digest: std::collections::BTreeMap<&'static str, Sha256>,
}

/// Canonical JSON of the statement: one report has one spelling.
///
/// # Errors
/// Our own bug.
pub fn payload(report: &Report) -> Result<Vec<u8>> {
    to_canonical_json(&Statement {
        kind: STATEMENT_TYPE,
        subject: [Subject { name: &report.image.name, digest: [("sha256", report.image.authenticode)].into() }],
        predicate_type: REPORT_TYPE,
        predicate: report,
    })
}

/// # Errors
/// Our own bug.
pub fn sign(report: &Report, key: &SigningKey) -> Result<Envelope> {
    let payload = payload(report)?;
    let sig = key.sign(&pae(PAYLOAD_TYPE, &payload)).to_bytes().to_vec();
    let keyid = hex(&Sha256::of(key.verifying_key().as_bytes()).0);
    Ok(Envelope { payload_type: PAYLOAD_TYPE.into(), payload, signatures: vec![EnvelopeSignature { keyid, sig }] })
}

/// The signed statement, when its signature holds and it is a report. That the report is true it does not show: whoever
/// doubts it runs the proof again.
///
/// # Errors
/// Blame Artefact: it is not by this key, or no report.
pub fn verify(envelope: &Envelope, key: &VerifyingKey) -> Result<serde_json::Value> {
    let refused =
        |what: &str| Error::artefact(format!("zero-log report: {what}"), "get report and key again, by two ways");
    let signed = pae(&envelope.payload_type, &envelope.payload);
    let holds = |s: &EnvelopeSignature| {
        Signature::from_slice(&s.sig).is_ok_and(|signature| key.verify_strict(&signed, &signature).is_ok())
    };
    if envelope.payload_type != PAYLOAD_TYPE || !envelope.signatures.iter().take(16).any(holds) {
        return Err(refused("no signature is by the given key"));
    }
    let statement: serde_json::Value =
        serde_json::from_slice(&envelope.payload).map_err(|e| refused(&e.to_string()))?;
    if statement["_type"] != STATEMENT_TYPE || statement["predicateType"] != REPORT_TYPE {
        return Err(refused("it is something else"));
    }
    Ok(statement)
}

/// A release key (PKCS#8 PEM), as `vitrine keygen` makes it.
///
/// # Errors
/// When the file is none.
pub fn signing_key(path: &Path) -> Result<SigningKey> {
    const HINT: &str = "give the release key of `vitrine keygen`";
    let text = std::fs::read_to_string(path).map_err(|e| Error::input(format!("{}: {e}", path.display()), HINT))?;
    SigningKey::from_pkcs8_pem(&text).map_err(|e| Error::input(format!("{}: {e}", path.display()), HINT))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn signed_written_read_verified() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let envelope = sign(&report(vec![]), &key).unwrap();
        let read = Envelope::from_json(&envelope.to_json().unwrap()).unwrap();
        let statement = verify(&read, &key.verifying_key()).unwrap();
        assert_eq!(statement["predicate"]["verdict"], "not-judged");
        assert_eq!(statement["subject"][0]["name"], "exit");
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
        let payload =
            br#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"urn:vitrine:release:v1"}"#.to_vec();
        let sig = key.sign(&pae(PAYLOAD_TYPE, &payload)).to_bytes().to_vec();
        let signatures = vec![EnvelopeSignature { keyid: String::new(), sig }];
        let envelope = Envelope { payload_type: PAYLOAD_TYPE.into(), payload, signatures };
        assert!(verify(&envelope, &key.verifying_key()).is_err());
    }
}
