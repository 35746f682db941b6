//! What a running server hands out beside its evidence, because its owner gave it.
//!
//! A release statement and its proof of a log cannot be inside the image that they describe. The owner orders their digest
//! ([`crate::order::Operation::Attach`]); the agent then takes the bytes with this digest from anybody, keeps them in RAM as they
//! are, and gives them to anybody:
//! ```text
//! POST /v1/attachments   bytes with the digest that was ordered   →  {"attached":"<64 hex>"}
//! GET  /v1/attachments                                            →  these bytes, or 404 while there are none
//! ```
//! The bytes are canonical JSON; only verifiers read it:
//! ```json
//! {"others":[{"payload":"…",…}],"proof":"c2sp.org/tlog-proof@v1\n…","statement":{"payload":"…",…},"v":1}
//! ```
//! Nothing measures them and nothing signs them together with the evidence: a server can hand out whatever it wants. So they
//! prove nothing by themselves, and count for as much as signatures inside them do, by keys that the reader has from elsewhere.

use crate::canonical::to_canonical_json;
use crate::digest::Sha256;
use crate::dsse::Envelope;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where an agent serves them.
pub const ATTACHMENTS_PATH: &str = "/v1/attachments";
/// Most bytes of them all: a release statement has 10 to 22 KB, the largest proof 28 KiB. It is what an agent keeps in RAM.
pub const ATTACHMENTS_LIMIT: usize = 48 << 10;
/// Most statements beside the release's.
const OTHERS_LIMIT: usize = 16;
const VERSION: u32 = 1;

/// What stands in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachments {
    v: u32,
    /// The release that the server is said to run.
    pub statement: Envelope,
    /// That the statement stands in a log, as it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Other statements about the release, such as verdicts of rebuilds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Envelope>,
}

/// An agent's answer to who has brought them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attached {
    pub attached: Sha256,
}

impl Attachments {
    pub fn new(statement: Envelope, proof: Option<String>, others: Vec<Envelope>) -> Self {
        Self { v: VERSION, statement, proof, others }
    }

    /// The bytes that an agent serves.
    ///
    /// # Errors
    /// When there are too many.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = to_canonical_json(self)?;
        if bytes.len() > ATTACHMENTS_LIMIT || self.others.len() > OTHERS_LIMIT {
            let what = format!(
                "{} bytes with {} other statements; a server keeps {ATTACHMENTS_LIMIT} bytes and {OTHERS_LIMIT} others",
                bytes.len(),
                self.others.len()
            );
            return Err(Error::input(what, "attach less, and publish the rest where the statement is published"));
        }
        Ok(bytes)
    }

    /// Reads what a server has handed out: one spelling. Does **not** look at any signature.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        if bytes.len() > ATTACHMENTS_LIMIT {
            return Err(format!("they have more than {ATTACHMENTS_LIMIT} bytes"));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if read.v != VERSION {
            return Err(format!("version {} is unknown", read.v));
        }
        if read.others.len() > OTHERS_LIMIT {
            return Err(format!("there are more than {OTHERS_LIMIT} other statements"));
        }
        let again = to_canonical_json(&read).map_err(|e| e.what)?;
        (again == bytes).then_some(read).ok_or_else(|| "they are not in canonical form".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsse::sign_payload;
    use ed25519_dalek::SigningKey;

    fn envelope(payload: &[u8]) -> Envelope {
        sign_payload(payload.to_vec(), &SigningKey::from_bytes(&[1; 32]))
    }

    fn sample() -> Attachments {
        Attachments::new(envelope(b"{}"), Some("c2sp.org/tlog-proof@v1\nindex 0\n\n…".into()), vec![envelope(b"[]")])
    }

    #[test]
    fn read_as_written() {
        for given in [sample(), Attachments { proof: None, others: vec![], ..sample() }] {
            let bytes = given.to_bytes().unwrap();
            assert_eq!(Attachments::parse(&bytes), Ok(given));
        }
        let bytes = Attachments { proof: None, others: vec![], ..sample() }.to_bytes().unwrap();
        assert!(bytes.starts_with(b"{\"statement\":{") && bytes.ends_with(b"},\"v\":1}"));
    }

    #[test]
    fn other_spellings_and_versions() {
        let good = String::from_utf8(sample().to_bytes().unwrap()).unwrap();
        for (bad, says) in [
            (String::new(), "EOF"),
            ("{}".into(), "missing field"),
            ("null".into(), "invalid type"),
            ("[".repeat(40_000), ""),
            ("[null,[],{},1]".into(), ""),
            (good.replace("\"v\":1", "\"v\":2"), "version 2"),
            (good.replace("\"v\":1", "\"v\":1,\"w\":1"), "unknown field"),
            (good.replace("\"v\":1", "\"v\":1,\"v\":1"), "duplicate"),
            (good.replace(",\"v\"", ", \"v\""), "canonical"),
            (format!("{good}\n"), "canonical"),
            (format!("{good}x"), "trailing"),
            (good.replace("\"proof\":\"", "\"proof\":[\""), ""),
            (good.replace("\"others\":[", "\"others\":[],\"others\":["), "duplicate"),
            (" ".repeat(ATTACHMENTS_LIMIT + 1), "more than 49152 bytes"),
        ] {
            let why = Attachments::parse(bad.as_bytes()).unwrap_err();
            assert!(why.contains(says), "{}: {why}", &bad[..bad.len().min(99)]);
        }
        assert!(Attachments::parse(b"\xff").is_err());
    }

    #[test]
    fn too_much() {
        let many = Attachments { others: vec![envelope(b"x"); OTHERS_LIMIT + 1], ..sample() };
        assert!(many.to_bytes().unwrap_err().what.contains("17 other statements"));
        assert!(Attachments::parse(&to_canonical_json(&many).unwrap()).unwrap_err().contains("more than 16"));
        assert!(Attachments { others: vec![envelope(b"x"); OTHERS_LIMIT], ..sample() }.to_bytes().is_ok());
        let long = Attachments { proof: Some("x".repeat(ATTACHMENTS_LIMIT)), ..sample() };
        assert_eq!(long.to_bytes().unwrap_err().exit_code(), 2);
    }
}
