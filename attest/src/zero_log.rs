//! The statement that an image was screened: what `zero-log.dsse.json` signs.
//!
//! Sample of the payload (canonical JSON):
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1","predicate":{"accepted":1,"authenticode":"ab…","hash":"cd…",
//!  "not_proven":["…"],"policy":"ef…","rules":90,"screened_by":"vitrine 0.1.0","waivers":[…]},
//!  "predicateType":"urn:vitrine:zero-log-compliance:v1","subject":[{"digest":{"sha256":"…"},"name":"…"}]}
//! ```

use crate::dsse::{self, Envelope};
use crate::statement::{Statement, Subject, Waiver};
use crate::vkey::MaybeEd25519;
use crate::{Error, Result, Sha256};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// `predicateType`.
pub const ZERO_LOG_TYPE: &str = "urn:vitrine:zero-log-compliance:v1";

/// What a screen cannot show. Every statement says so itself.
pub const NOT_PROVEN: [&str; 5] = [
    "the screen reads files: names, imports, texts, settings, modules, words. It does not show how programs behave; the watch and the behavioural proof look at that",
    "a program that was made to hide what it does from these rules is not found by them",
    "the statement says nothing about a running server: the quote shows which image booted",
    "nothing inside the image can show what a hypervisor, a management controller or a router outside records",
    "accepted findings are let through for the reasons in the waivers, which are for people to judge",
];

/// About the unsigned image, as the release statement is.
pub type ZeroLogStatement = Statement<ZeroLog>;

/// The screen's answer about one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroLog {
    /// The zero-log compliance hash: SHA-256 of the report's canonical JSON. `vitrine screen` computes it again from
    /// the image and the waivers.
    pub hash: Sha256,
    /// SHA-256 over the rule files, and how many rules they hold.
    pub policy: Sha256,
    pub rules: u64,
    /// `vitrine 0.1.0`: another version has other rules, and gives another hash.
    pub screened_by: String,
    /// Authenticode SHA-256 of the image.
    pub authenticode: Sha256,
    /// How many findings the waivers accept; there are no others.
    pub accepted: u64,
    pub waivers: Vec<Waiver>,
    /// What this does not prove. Never empty.
    pub not_proven: Vec<String>,
}

impl ZeroLogStatement {
    pub fn new(subject: Vec<Subject>, predicate: ZeroLog) -> Self {
        Self::about(subject, ZERO_LOG_TYPE, predicate)
    }

    /// Signs it. The same statement and key give the same envelope.
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope> {
        dsse::sign(self, key)
    }

    /// Checks the signature, then reads the statement out of the signed bytes.
    ///
    /// Proves that the holder of `key` signed exactly this; whether the hash is true shows a screen of the image.
    ///
    /// # Errors
    /// [`crate::Blame::Artefact`] when no signature is by this key, or the payload is no such statement, not in
    /// canonical form, or does not say what it does not prove.
    pub fn verify(envelope: &Envelope, key: &impl MaybeEd25519) -> Result<Self> {
        Self::read(dsse::verify_payload(envelope, key)?)
    }

    /// Reads the payload alone, without any signature.
    pub fn read(payload: &[u8]) -> Result<Self> {
        let statement = Self::from_payload(payload, ZERO_LOG_TYPE).map_err(|why| refused(&why))?;
        if statement.predicate.not_proven.iter().all(|text| text.trim().is_empty()) {
            return Err(refused("it does not say what it does not prove"));
        }
        Ok(statement)
    }
}

fn refused(why: &str) -> Error {
    Error::artefact(format!("zero-log statement: {why}"), "get `zero-log.dsse.json` again from the operator")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::to_canonical_json;

    fn statement() -> ZeroLogStatement {
        let subject = vec![Subject::new("image", Sha256::ZERO)];
        let predicate = ZeroLog {
            hash: Sha256::of(b"report"),
            policy: Sha256::of(b"rules"),
            rules: 3,
            screened_by: "vitrine 1".into(),
            authenticode: Sha256::ZERO,
            accepted: 0,
            waivers: vec![],
            not_proven: NOT_PROVEN.map(String::from).to_vec(),
        };
        ZeroLogStatement::new(subject, predicate)
    }

    #[test]
    fn sign_verify_and_refusals() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let envelope = statement().sign(&key).unwrap();
        assert_eq!(ZeroLogStatement::verify(&envelope, &key.verifying_key()).unwrap(), statement());
        assert!(dsse::verify(&envelope, &key.verifying_key()).is_err(), "it was taken for a release");
        let other = SigningKey::from_bytes(&[2; 32]);
        assert!(ZeroLogStatement::verify(&envelope, &other.verifying_key()).is_err());
        let mut silent = statement();
        silent.predicate.not_proven = vec![" ".into()];
        let envelope = silent.sign(&key).unwrap();
        assert!(ZeroLogStatement::verify(&envelope, &key.verifying_key()).unwrap_err().what.contains("not prove"));
        let mut wrong = statement();
        wrong.predicate_type = "x".into();
        assert!(ZeroLogStatement::read(&to_canonical_json(&wrong).unwrap()).is_err());
        let spaced = [to_canonical_json(&statement()).unwrap(), b" ".to_vec()].concat();
        assert!(ZeroLogStatement::read(&spaced).unwrap_err().what.contains("canonical"));
    }
}
