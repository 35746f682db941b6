//! Entries of a log: signed statements, whichever of the known kinds they are.
//!
//! An entry is the canonical JSON of a DSSE envelope, so that one statement with the same signatures is one entry. What its
//! signatures are worth is not judged here: see [`signers`] and [`k_of_n`].

use crate::dsse::Envelope;
pub use crate::dsse::{k_of_n, signers};
use crate::fleet_epoch::{FleetEpoch, FLEET_EPOCH_TYPE};
use crate::predicate;
use crate::rebuild_verdict::{RebuildVerdict, REBUILD_VERDICT_TYPE};
use crate::revocation::{Revocation, REVOCATION_TYPE};
use crate::statement::{Statement, PAYLOAD_TYPE, RELEASE_TYPE};
use crate::tile::ENTRY_LIMIT;
use crate::zero_log::{ZeroLogStatement, ZERO_LOG_TYPE};
use crate::zero_log_report::{ZeroLogReport, REPORT_TYPE};
use crate::{Error, Result};
use serde_json::Value;

/// What an entry says, by its `predicateType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Release(Box<Statement>),
    /// What the screen found in files.
    ZeroLog(Box<ZeroLogStatement>),
    /// What the behavioural proof found.
    ZeroLogReport(Box<Statement<ZeroLogReport>>),
    FleetEpoch(Box<Statement<FleetEpoch>>),
    Revocation(Box<Statement<Revocation>>),
    RebuildVerdict(Box<Statement<RebuildVerdict>>),
    /// Of another kind, which is named. It is a statement in canonical form; nothing else is known of it.
    Unknown(String),
}

impl Entry {
    /// Reads the bytes of an entry, and gives the envelope with it.
    ///
    /// Does **not** look at any signature: anybody can write one of these.
    ///
    /// # Errors
    /// [`crate::Blame::Artefact`] when it is too large, no canonical envelope, no in-toto statement, or of a known kind and
    /// not as that has to be.
    pub fn read(bytes: &[u8]) -> Result<(Envelope, Self)> {
        if bytes.len() > ENTRY_LIMIT {
            return Err(refused(format!("{} bytes, more than {ENTRY_LIMIT}", bytes.len())));
        }
        let envelope = Envelope::from_json(bytes).map_err(|e| refused(e.what))?;
        if envelope.to_json()? != bytes {
            return Err(refused("the envelope is not in canonical form".into()));
        }
        let entry = Self::of(&envelope)?;
        Ok((envelope, entry))
    }

    /// The same for an envelope whose spelling does not matter.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(envelope: &Envelope) -> Result<Self> {
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(refused(format!("payload type is \"{}\", expected \"{PAYLOAD_TYPE}\"", envelope.payload_type)));
        }
        let payload = &envelope.payload;
        let kind = kind(payload).map_err(refused)?;
        Ok(match kind.as_str() {
            RELEASE_TYPE => Self::Release(crate::dsse::read_unverified(envelope)?.into()),
            ZERO_LOG_TYPE => Self::ZeroLog(ZeroLogStatement::read(payload)?.into()),
            REPORT_TYPE => Self::ZeroLogReport(predicate::read(payload)?.into()),
            FLEET_EPOCH_TYPE => Self::FleetEpoch(predicate::read(payload)?.into()),
            REVOCATION_TYPE => Self::Revocation(predicate::read(payload)?.into()),
            REBUILD_VERDICT_TYPE => Self::RebuildVerdict(predicate::read(payload)?.into()),
            _ => Self::Unknown(kind),
        })
    }

    /// `predicateType`.
    pub fn kind(&self) -> &str {
        match self {
            Self::Release(_) => RELEASE_TYPE,
            Self::ZeroLog(_) => ZERO_LOG_TYPE,
            Self::ZeroLogReport(_) => REPORT_TYPE,
            Self::FleetEpoch(_) => FLEET_EPOCH_TYPE,
            Self::Revocation(_) => REVOCATION_TYPE,
            Self::RebuildVerdict(_) => REBUILD_VERDICT_TYPE,
            Self::Unknown(kind) => kind,
        }
    }
}

/// `predicateType` of a payload that is a statement in canonical form.
fn kind(payload: &[u8]) -> std::result::Result<String, String> {
    let any: Statement<Value> = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
    // of this kind or that: it only has to be one
    let kind = any.predicate_type;
    Statement::<Value>::from_payload(payload, &kind).map(|_| kind)
}

fn refused(what: String) -> Error {
    Error::artefact(format!("entry: {what}"), "get it again from where it was published")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::to_canonical_json;
    use crate::predicate::sign;
    use crate::statement::Subject;
    use crate::zero_log::{ZeroLog, NOT_PROVEN};
    use crate::{dsse, fleet_epoch, rebuild_verdict, revocation, Blame, Sha256};
    use ed25519_dalek::SigningKey;
    use serde_json::json;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    fn any(kind: &str, predicate: Value) -> Envelope {
        let statement = Statement::about(vec![Subject::new("image", Sha256::ZERO)], kind, predicate);
        dsse::sign_payload(to_canonical_json(&statement).unwrap(), &key())
    }

    fn zero_log() -> Envelope {
        let predicate = ZeroLog {
            hash: Sha256::ZERO,
            policy: Sha256::ZERO,
            rules: 3,
            screened_by: "vitrine 1".into(),
            authenticode: Sha256::ZERO,
            accepted: 0,
            waivers: vec![],
            not_proven: NOT_PROVEN.map(String::from).to_vec(),
        };
        ZeroLogStatement::new(vec![Subject::new("image", Sha256::ZERO)], predicate).sign(&key()).unwrap()
    }

    fn report(not_proven: Value) -> Envelope {
        any(
            REPORT_TYPE,
            json!({"v": 1, "verdict": "nothing-found", "not_proven": not_proven, "moments": [{"wrong": 0}]}),
        )
    }

    fn every_kind() -> Vec<(&'static str, Envelope)> {
        let (subject, epoch) = fleet_epoch::tests::sample(Sha256::of(b"root"), 4);
        vec![
            (RELEASE_TYPE, dsse::sign(&dsse::tests::statement(), &key()).unwrap()),
            (ZERO_LOG_TYPE, zero_log()),
            (REPORT_TYPE, report(json!(["what it does not show"]))),
            (FLEET_EPOCH_TYPE, sign(subject, epoch, &key()).unwrap()),
            (REVOCATION_TYPE, sign(revocation::tests::subject(), revocation::tests::sample(), &key()).unwrap()),
            (
                REBUILD_VERDICT_TYPE,
                sign(rebuild_verdict::tests::subject(), rebuild_verdict::tests::sample(b"x"), &key()).unwrap(),
            ),
            ("urn:example:other", any("urn:example:other", json!({"a": [1, null]}))),
        ]
    }

    #[test]
    fn every_kind_is_told_by_its_type() {
        for (kind, envelope) in every_kind() {
            let bytes = envelope.to_json().unwrap();
            let (read, entry) = Entry::read(&bytes).unwrap();
            assert_eq!((&read, entry.kind()), (&envelope, kind));
            assert_eq!(matches!(entry, Entry::Unknown(_)), kind == "urn:example:other");
            assert_eq!(Entry::of(&envelope).unwrap(), entry);
        }
    }

    /// None of them passes for another: the type stands in what is signed.
    #[test]
    fn a_predicate_under_another_type_is_refused() {
        let kinds: Vec<_> = every_kind().into_iter().filter(|(kind, _)| kind.starts_with("urn:vitrine")).collect();
        for (kind, envelope) in &kinds {
            for (other, _) in kinds.iter().filter(|(other, _)| other != kind) {
                let text = String::from_utf8(envelope.payload.clone()).unwrap().replace(kind, other);
                let envelope = dsse::sign_payload(text.into_bytes(), &key());
                assert!(Entry::of(&envelope).is_err(), "{kind} as {other}");
            }
        }
    }

    #[test]
    fn other_spellings_and_sizes() {
        for (kind, envelope) in every_kind() {
            let bytes = envelope.to_json().unwrap();
            assert_eq!(Entry::read(&[&bytes[..], b"\n"].concat()).unwrap_err().blame, Blame::Artefact, "{kind}");
            assert!(Entry::read(&bytes[..bytes.len() - 1]).is_err());
            let spaced = dsse::sign_payload([&envelope.payload[..], b" "].concat(), &key());
            assert!(Entry::of(&spaced).is_err(), "{kind}");
            let text = String::from_utf8(envelope.payload.clone()).unwrap();
            let more = text.replacen("{\"_type\"", "{\"Z\":1,\"_type\"", 1);
            assert!(Entry::of(&dsse::sign_payload(more.into_bytes(), &key())).is_err(), "{kind}");
            let old = text.replacen("Statement/v1", "Statement/v0", 1);
            assert!(Entry::of(&dsse::sign_payload(old.into_bytes(), &key())).is_err(), "{kind}");
        }
        let mut plain = any("urn:example:other", json!({}));
        plain.payload_type = "text/plain".into();
        assert!(Entry::of(&plain).is_err());
        let filled = |length| any("urn:example:other", json!({"a": "x".repeat(length)})).to_json().unwrap();
        let (fits, not) = (filled(48_000), filled(50_000));
        assert!(fits.len() <= ENTRY_LIMIT && Entry::read(&fits).is_ok());
        assert!(not.len() > ENTRY_LIMIT && Entry::read(&not).is_err());
    }

    #[test]
    fn a_report_has_to_say_what_it_does_not_prove() {
        for bad in [json!([]), json!([" "]), json!("x"), Value::Null] {
            assert!(Entry::of(&report(bad)).is_err());
        }
        assert!(Entry::of(&any(REPORT_TYPE, json!({"v": 1, "verdict": "nothing-found"}))).is_err());
    }
}
