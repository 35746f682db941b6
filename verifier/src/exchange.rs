//! The four messages of one check, as they were on the wire, and the file that keeps them.
//!
//! Sample of the file that `--save` writes (bytes in base64):
//! ```json
//! {"v":1,"asked":1763600000,"m1":"eyJub…","m2":"eyJha…",
//!  "activated":{"m3":"eyJjc…","m4":"eyJwc…","secret":"<64 hex>"}}
//! ```
//! The secret is worth nothing any more: it lets the same verifier repeat check V06. Whoever made such a file could
//! have made up all of it, so it convinces only the person who saved it.

use crate::beacon::{self, Checked};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use vitrine_attest::digest::base64_bytes;
use vitrine_attest::evidence::{EvidenceRequest, EVIDENCE_LIMIT};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

/// Version of the file.
const VERSION: u32 = 1;
/// Largest file in bytes: the evidence in base64 and everything else.
pub const FILE_LIMIT: usize = EVIDENCE_LIMIT * 2;

/// Where evidence comes from. It decides how fresh it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "name")]
pub enum Source {
    /// Asked just now, with a nonce of ours.
    Server(String),
    /// Messages that this program saved earlier.
    Record(String),
    /// Bare evidence with a nonce given by the person.
    Evidence(String),
    /// Evidence dated by a log's checkpoint.
    Beacon(String),
}

impl Source {
    /// The server's address, or the file's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Server(name) | Self::Record(name) | Self::Evidence(name) | Self::Beacon(name) => name,
        }
    }
}

/// Everything that was sent and received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub source: Source,
    /// When it was asked for, seconds since 1970; none when nobody knows.
    pub asked: Option<u64>,
    pub nonce: Sha256,
    /// M2, the very bytes.
    pub evidence: Vec<u8>,
    /// None for bare evidence, where there is nobody to activate a credential.
    pub activation: Option<Activation>,
    /// What the person's keys say about the checkpoint that dates it, when it is a beacon.
    pub beacon: Option<std::result::Result<Checked, String>>,
}

/// M1, M3, M4 and the secret of M3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub m1: Vec<u8>,
    pub answer: Answer,
}

/// How the server did with the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Given {
        m3: Vec<u8>,
        m4: Vec<u8>,
        secret: [u8; 32],
    },
    /// It answered M3 with an error; its code.
    Refused(String),
    /// No credential could be made for the evidence.
    NotAsked(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    v: u32,
    #[serde(with = "base64_bytes")]
    m1: Vec<u8>,
    #[serde(with = "base64_bytes")]
    m2: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated: Option<Activated>,
    /// Why there is no M4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// When it was asked for, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Activated {
    #[serde(with = "base64_bytes")]
    m3: Vec<u8>,
    #[serde(with = "base64_bytes")]
    m4: Vec<u8>,
    secret: Sha256,
}

/// What tells the kinds of files apart.
#[derive(Deserialize)]
struct What {
    m1: Option<IgnoredAny>,
    beacon: Option<IgnoredAny>,
}

impl Exchange {
    /// The file's bytes.
    ///
    /// # Errors
    /// For bare evidence: there is nothing to save that is not already in a file.
    pub fn to_record(&self) -> Result<Vec<u8>> {
        let activation = self
            .activation
            .as_ref()
            .ok_or_else(|| Error::input("there are no messages to save", "leave --save out, or check a server"))?;
        let (activated, refused) = match &activation.answer {
            Answer::Given { m3, m4, secret } => {
                (Some(Activated { m3: m3.clone(), m4: m4.clone(), secret: Sha256(*secret) }), None)
            }
            Answer::Refused(why) | Answer::NotAsked(why) => (None, Some(why.clone())),
        };
        let (m1, m2) = (activation.m1.clone(), self.evidence.clone());
        let record = Record { v: VERSION, m1, m2, activated, refused, asked: self.asked };
        vitrine_attest::canonical::to_canonical_json(&record)
    }

    /// Reads a saved record, a beacon for which the person has keys, or bare evidence for which the person names the nonce.
    pub fn from_file(name: &str, bytes: &[u8], nonce: Option<Sha256>, keys: Option<&[NoteKey]>) -> Result<Self> {
        if bytes.len() > FILE_LIMIT {
            return Err(unusable(name, format!("more than {FILE_LIMIT} bytes")));
        }
        let what: What = serde_json::from_slice(bytes).map_err(|e| unusable(name, e.to_string()))?;
        let own =
            |what: &str| Error::input(format!("{name} holds its own nonce"), format!("leave --nonce out for {what}"));
        match (what.m1.is_some(), what.beacon.is_some(), nonce) {
            (true, _, None) => Self::from_record(name, bytes),
            (true, _, Some(_)) => Err(own("a file made by --save")),
            (false, true, None) => beacon::from_file(
                name,
                bytes,
                keys.ok_or_else(|| {
                    let hint = "name the logs and witnesses that you trust with --log-keys FILE, one key a line";
                    Error::input(format!("{name} is dated by a log's checkpoint, and you gave no log's key"), hint)
                })?,
            ),
            (false, true, Some(_)) => Err(own("a beacon")),
            (false, false, Some(nonce)) => bare(name, bytes, nonce),
            (false, false, None) => Err(Error::input(
                format!("{name} is bare evidence: its own nonce proves nothing"),
                "name the nonce that you sent with --nonce HEX",
            )),
        }
    }

    fn from_record(name: &str, bytes: &[u8]) -> Result<Self> {
        let record: Record = serde_json::from_slice(bytes).map_err(|e| unusable(name, e.to_string()))?;
        if record.v != VERSION {
            return Err(unusable(name, format!("version {} is unknown", record.v)));
        }
        let m1: EvidenceRequest =
            serde_json::from_slice(&record.m1).map_err(|e| unusable(name, format!("its m1: {e}")))?;
        let answer = match record.activated {
            Some(Activated { m3, m4, secret }) => Answer::Given { m3, m4, secret: secret.0 },
            None => Answer::Refused(record.refused.unwrap_or_else(|| "nothing was activated".into())),
        };
        Ok(Self {
            source: Source::Record(name.into()),
            asked: record.asked,
            nonce: m1.nonce,
            evidence: record.m2,
            activation: Some(Activation { m1: record.m1, answer }),
            beacon: None,
        })
    }
}

/// A file that is no evidence at all is the person's mistake, not the server's.
fn bare(name: &str, bytes: &[u8], nonce: Sha256) -> Result<Exchange> {
    serde_json::from_slice::<vitrine_attest::evidence::Evidence>(bytes).map_err(|e| unusable(name, e.to_string()))?;
    Ok(Exchange {
        source: Source::Evidence(name.into()),
        asked: None,
        nonce,
        evidence: bytes.to_vec(),
        activation: None,
        beacon: None,
    })
}

fn unusable(name: &str, what: String) -> Error {
    Error::input(format!("{name} is no usable evidence: {what}"), "give a file made by `vitrine-verify check --save`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(answer: Answer) -> Exchange {
        let m1 = format!(r#"{{"nonce":"{}","v":1}}"#, Sha256::of(b"n")).into_bytes();
        Exchange {
            source: Source::Record("x".into()),
            asked: Some(7),
            nonce: Sha256::of(b"n"),
            evidence: b"{}".to_vec(),
            activation: Some(Activation { m1, answer }),
            beacon: None,
        }
    }

    #[test]
    fn record_round_trip() {
        let given = exchange(Answer::Given { m3: vec![3], m4: vec![4], secret: [5; 32] });
        assert_eq!(Exchange::from_file("x", &given.to_record().unwrap(), None, None).unwrap(), given);
        let refused = exchange(Answer::Refused("tpm-failed".into()));
        assert_eq!(Exchange::from_file("x", &refused.to_record().unwrap(), None, None).unwrap(), refused);
    }

    /// The largest evidence is a third longer in base64, and the rest of a record is small.
    #[test]
    fn as_large_as_evidence_can_be() {
        let mut largest = exchange(Answer::Given { m3: vec![3; 4096], m4: vec![4; 4096], secret: [5; 32] });
        largest.evidence = vec![b' '; EVIDENCE_LIMIT];
        assert_eq!(Exchange::from_file("x", &largest.to_record().unwrap(), None, None).unwrap(), largest);
        for (length, expected) in [(FILE_LIMIT, "EOF while parsing"), (FILE_LIMIT + 1, "more than ")] {
            let error = Exchange::from_file("x", &vec![b' '; length], None, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{length}: {error}");
        }
        assert_eq!(FILE_LIMIT, 8 << 20);
    }

    #[test]
    fn files_that_are_no_evidence() {
        let record = exchange(Answer::Refused("x".into())).to_record().unwrap();
        let nonce = Some(Sha256::ZERO);
        for (bytes, nonce) in [
            (&record[..record.len() / 2], None),
            (b"".as_slice(), None),
            (b"{}", None),
            (b"{}", nonce),
            (b"[]", nonce),
            (br#"{"m1":"","m2":"","v":1}"#, None),
            (&record, nonce),
        ] {
            let error = Exchange::from_file("x", bytes, nonce, None).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}
