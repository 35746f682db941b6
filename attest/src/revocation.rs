//! That a release must not be used any more: what `revocation.dsse.json` signs.
//!
//! Sample of the payload (canonical JSON), of one that revokes an image whatever statement names it:
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1","predicate":{"date":"2026-11-22","fingerprint":"vitrine1:ab…",
//!  "reason":"vulnerability","seq":3,"text":"CVE-2026-1 in the kernel; use 1.3 or later"},
//!  "predicateType":"urn:vitrine:revocation:v1","subject":[{"digest":{"sha256":"cd…"},"name":"6-image.unsigned.efi"}]}
//! ```

use crate::calendar::Date;
use crate::fingerprint::Fingerprint;
use crate::predicate::{subjects, text, Predicate};
use crate::statement::{Release, Subject};
use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `predicateType`.
pub const REVOCATION_TYPE: &str = "urn:vitrine:revocation:v1";
/// Longest text, in bytes.
pub const TEXT_LIMIT: usize = 1024;

/// Names either an image with its configuration or one signed statement, never both. The statement's subject is the
/// unsigned image, so that a log can be searched for it; it does not decide.
///
/// Whoever has a signed release and a key of its own can write one of these: it counts only when a release key has signed
/// it. That none is there proves nothing: an operator can keep one back, and only a log that is watched shows that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Every release of this fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// SHA-256 of one release's canonical envelope. With one signature more or less it is another one: to withdraw an
    /// image, name its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Sha256>,
    pub reason: Reason,
    /// For people; no control characters, at most [`TEXT_LIMIT`] bytes.
    pub text: String,
    pub date: Date,
    /// Counts the signer's revocations from 1, so that a gap shows that one is missing.
    pub seq: u64,
}

/// Stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A key that signed it is in wrong hands.
    KeyCompromise,
    /// The image can be attacked.
    Vulnerability,
    /// A newer release is to be used.
    Superseded,
    /// It should not have been published.
    Mistake,
    Other,
}

impl Reason {
    pub const ALL: [Self; 5] = [Self::KeyCompromise, Self::Vulnerability, Self::Superseded, Self::Mistake, Self::Other];

    pub fn word(self) -> &'static str {
        match self {
            Self::KeyCompromise => "key-compromise",
            Self::Vulnerability => "vulnerability",
            Self::Superseded => "superseded",
            Self::Mistake => "mistake",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Reason {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|reason| reason.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            format!("\"{}\" is none of {}", text.escape_debug(), words.join(", "))
        })
    }
}

impl Revocation {
    /// Whether this release is meant. Who signed the revocation is not looked at here.
    pub fn revokes(&self, release: &Release, envelope_digest: &Sha256) -> bool {
        self.fingerprint == Some(release.fingerprint) || self.statement.as_ref() == Some(envelope_digest)
    }
}

impl Predicate for Revocation {
    const TYPE: &'static str = REVOCATION_TYPE;

    fn check(&self, subject: &[Subject]) -> Result<(), String> {
        subjects(subject)?;
        if self.fingerprint.is_some() == self.statement.is_some() {
            return Err("it has to name a fingerprint or a statement, and not both".into());
        }
        if self.seq == 0 {
            return Err("seq counts from 1".into());
        }
        text("text", &self.text, TEXT_LIMIT)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dsse::tests::statement;
    use crate::predicate::{read, sign, verify};
    use crate::statement::Statement;
    use crate::Blame;
    use ed25519_dalek::SigningKey;

    pub fn subject() -> Vec<Subject> {
        vec![Subject::new("6-image.unsigned.efi", Sha256::ZERO)]
    }

    pub fn sample() -> Revocation {
        Revocation {
            fingerprint: Some(statement().predicate.fingerprint),
            statement: None,
            reason: Reason::Vulnerability,
            text: "use 1.3 or later".into(),
            date: "2026-11-22".parse().unwrap(),
            seq: 1,
        }
    }

    #[test]
    fn signed_and_read() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let envelope = sign(subject(), sample(), &key).unwrap();
        let read: Statement<Revocation> = verify(&envelope, &key.verifying_key()).unwrap();
        assert_eq!(read.predicate, sample());
        let other = SigningKey::from_bytes(&[2; 32]).verifying_key();
        assert!(verify::<Revocation>(&envelope, &other).is_err(), "another key");
        assert!(crate::dsse::verify(&envelope, &key.verifying_key()).is_err(), "it was taken for a release");
    }

    #[test]
    fn what_it_revokes() {
        let (release, digest) = (statement().predicate, Sha256::of(b"envelope"));
        assert!(sample().revokes(&release, &digest));
        let mut another = release.clone();
        another.fingerprint = Fingerprint(Sha256::ZERO);
        assert!(!sample().revokes(&another, &digest));
        let one = Revocation { fingerprint: None, statement: Some(digest), ..sample() };
        assert!(one.revokes(&another, &digest) && one.revokes(&release, &digest));
        assert!(!one.revokes(&release, &Sha256::of(b"another")));
    }

    #[test]
    fn refusals() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let both = Some(Sha256::ZERO);
        let bad = [
            Revocation { statement: both, ..sample() },
            Revocation { fingerprint: None, ..sample() },
            Revocation { seq: 0, ..sample() },
            Revocation { text: "a\u{1b}[2J".into(), ..sample() },
            Revocation { text: "é".repeat(TEXT_LIMIT / 2 + 1), ..sample() },
        ];
        for revocation in bad {
            assert_eq!(sign(subject(), revocation.clone(), &key).unwrap_err().blame, Blame::Input, "{revocation:?}");
            let payload =
                crate::canonical::to_canonical_json(&Statement::about(subject(), REVOCATION_TYPE, revocation)).unwrap();
            assert_eq!(read::<Revocation>(&payload).unwrap_err().blame, Blame::Artefact);
        }
        assert!(sign(vec![], sample(), &key).is_err(), "about nothing");
        let mut two = subject();
        two[0].digest.insert("sha512".into(), Sha256::ZERO);
        assert!(sign(two, sample(), &key).is_err());
        let full = Revocation { text: "x".repeat(TEXT_LIMIT), ..sample() };
        assert!(sign(subject(), full, &key).is_ok());
        let payload = crate::canonical::to_canonical_json(&Statement::about(subject(), REVOCATION_TYPE, sample()));
        let text = String::from_utf8(payload.unwrap()).unwrap();
        for (from, to) in [
            ("vulnerability", "boredom"),
            ("2026-11-22", "2026-11-31"),
            ("\"seq\":1", "\"seq\":-1"),
            ("\"seq\":1", "\"seq\":1,\"zeal\":1"),
            ("\"seq\":1", "\"seq\": 1"),
            ("urn:vitrine:revocation:v1", "urn:vitrine:revocation:v2"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(read::<Revocation>(text.replacen(from, to, 1).as_bytes()).is_err(), "{to} was taken");
        }
    }

    #[test]
    fn words() {
        for reason in Reason::ALL {
            assert_eq!(reason.word().parse(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
        }
        assert!("Mistake".parse::<Reason>().is_err());
    }
}
