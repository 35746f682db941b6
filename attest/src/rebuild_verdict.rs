//! What somebody got who built a release's image again: what `verdict.dsse.json` signs.
//!
//! Sample of the payload (canonical JSON):
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1","predicate":{"builder":{"cores":2,"distribution":"Debian GNU/Linux 13",
//!  "kernel":"6.12.41","vitrine":"vitrine 0.1.0"},"date":"2026-11-22","equal":false,"first_difference":"3-tree.txt",
//!  "image":{"expected":"ab…","got":"cd…"},"statement":"ef…"},"predicateType":"urn:vitrine:rebuild-verdict:v1",
//!  "subject":[{"digest":{"sha256":"ab…"},"name":"6-image.unsigned.efi"}]}
//! ```

use crate::calendar::Date;
use crate::predicate::{subjects, text, Predicate};
use crate::statement::Subject;
use crate::Sha256;
use serde::{Deserialize, Serialize};

/// `predicateType`.
pub const REBUILD_VERDICT_TYPE: &str = "urn:vitrine:rebuild-verdict:v1";
/// Longest text about the builder's machine, in bytes each.
pub const FACT_LIMIT: usize = 128;
/// Longest name of a stage's file, in bytes.
const STAGE_LIMIT: usize = 64;

/// The subject is the unsigned image that the release promises.
///
/// Proves that whoever signed it says so. It is worth what that person is worth, and only when that is not the one who
/// signed the release. What the builder's machine is called is said, not proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildVerdict {
    /// SHA-256 of the canonical envelope of the release that was read.
    pub statement: Sha256,
    pub image: Compared,
    /// Always what the two digests say: anything else is refused.
    pub equal: bool,
    /// File of the first stage that differs, such as `3-tree.txt`; none: nothing does, or nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<String>,
    pub builder: Builder,
    pub date: Date,
}

/// SHA-256 of `6-image.unsigned.efi`: the release's, and the one that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    pub expected: Sha256,
    pub got: Sha256,
}

/// What it was built with and on. Texts have at most [`FACT_LIMIT`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// `vitrine 0.1.0`
    pub vitrine: String,
    pub distribution: String,
    pub kernel: String,
    pub cores: u32,
}

impl RebuildVerdict {
    /// Whether it is about this unsigned image. Which statement was read decides nothing: one signature more makes
    /// another statement of the same image.
    pub fn is_about(&self, subject: &[Subject]) -> bool {
        subject.iter().any(|subject| subject.sha256() == Some(self.image.expected))
    }
}

impl Predicate for RebuildVerdict {
    const TYPE: &'static str = REBUILD_VERDICT_TYPE;

    fn check(&self, subject: &[Subject]) -> Result<(), String> {
        if subjects(subject)? != [self.image.expected] {
            return Err("its subject is not the image that was expected".into());
        }
        if self.equal != (self.image.expected == self.image.got) {
            return Err("`equal` is not what the two digests say".into());
        }
        if let Some(stage) = &self.first_difference {
            let named = stage.len() <= STAGE_LIMIT
                && stage.starts_with(|c: char| c.is_ascii_digit())
                && stage.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
            if self.equal || !named {
                return Err("`first_difference` is no stage's file, or the images are equal".into());
            }
        }
        let Builder { vitrine, distribution, kernel, cores: _ } = &self.builder;
        let facts = [("vitrine", vitrine), ("distribution", distribution), ("kernel", kernel)];
        facts.into_iter().try_for_each(|(name, fact)| text(name, fact, FACT_LIMIT))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::canonical::to_canonical_json;
    use crate::predicate::{read, sign, verify};
    use crate::statement::Statement;
    use ed25519_dalek::SigningKey;

    pub fn sample(got: &[u8]) -> RebuildVerdict {
        let (expected, got) = (Sha256::of(b"image"), Sha256::of(got));
        RebuildVerdict {
            statement: Sha256::of(b"envelope"),
            equal: expected == got,
            image: Compared { expected, got },
            first_difference: (expected != got).then(|| "3-tree.txt".into()),
            builder: Builder {
                vitrine: "vitrine 0.1.0".into(),
                distribution: "Debian GNU/Linux 13".into(),
                kernel: "6.12.41".into(),
                cores: 2,
            },
            date: "2026-11-22".parse().unwrap(),
        }
    }

    pub fn subject() -> Vec<Subject> {
        vec![Subject::new("6-image.unsigned.efi", Sha256::of(b"image"))]
    }

    #[test]
    fn signed_and_read() {
        let key = SigningKey::from_bytes(&[5; 32]);
        for got in [b"image".as_slice(), b"another"] {
            let envelope = sign(subject(), sample(got), &key).unwrap();
            let read: Statement<RebuildVerdict> = verify(&envelope, &key.verifying_key()).unwrap();
            assert_eq!(read.predicate, sample(got));
            assert!(read.predicate.is_about(&subject()));
            assert!(!read.predicate.is_about(&[Subject::new("x", Sha256::ZERO)]));
        }
    }

    #[test]
    fn refusals() {
        let (same, other) = (sample(b"image"), sample(b"another"));
        let builder = |change: fn(&mut Builder)| {
            let mut verdict = sample(b"image");
            change(&mut verdict.builder);
            verdict
        };
        let stage = |name: &str| RebuildVerdict { first_difference: Some(name.into()), ..sample(b"another") };
        let bad = [
            RebuildVerdict { equal: false, ..same.clone() },
            RebuildVerdict { equal: true, ..other.clone() },
            RebuildVerdict { equal: true, first_difference: None, ..other },
            RebuildVerdict { first_difference: Some("3-tree.txt".into()), ..same },
            stage(""),
            stage("tree.txt"),
            stage("3-tree.txt\n"),
            stage("3/../tree.txt"),
            stage(&"3".repeat(STAGE_LIMIT + 1)),
            builder(|b| b.kernel = "6.12\u{7}".into()),
            builder(|b| b.distribution = "x".repeat(FACT_LIMIT + 1)),
        ];
        for verdict in bad {
            let payload =
                to_canonical_json(&Statement::about(subject(), REBUILD_VERDICT_TYPE, verdict.clone())).unwrap();
            assert!(read::<RebuildVerdict>(&payload).is_err(), "{verdict:?}");
        }
        let key = SigningKey::from_bytes(&[5; 32]);
        assert!(sign(vec![Subject::new("x", Sha256::ZERO)], sample(b"image"), &key).is_err(), "of another image");
        assert!(sign(subject(), RebuildVerdict { first_difference: None, ..sample(b"x") }, &key).is_ok());
    }
}
