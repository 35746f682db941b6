//! Whom and what is believed about releases.

use super::refusal::Refusal;
use super::revoked::Revocations;
use vitrine_attest::calendar::Date;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::statement::Release;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Sha256;

/// By this, every statement and image in a folder is judged, each time anew.
#[derive(Debug)]
pub struct Trust {
    /// One of these has to have signed a statement.
    pub keys: Vec<NoteKey>,
    /// A statement's last day is the last on which it is taken, as V21 of the verifier has it.
    pub today: Date,
    /// Least sequence number.
    pub min_seq: u64,
    pub revocations: Revocations,
    /// What the machines' firmware holds, if the operator says so.
    pub enrolled: Option<Variables>,
}

impl Trust {
    /// What speaks against a release as such, whatever its image is.
    pub fn against(&self, release: &Release, envelope: &Envelope) -> Vec<Refusal> {
        [self.expired(release), self.below_floor(release), self.revoked(release, envelope)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn expired(&self, release: &Release) -> Option<Refusal> {
        let last = release.not_after.as_deref()?;
        match last.parse::<Date>() {
            Err(_) => Some(Refusal::new("statement-inconsistent", "its last day is no date of the form 2027-11-20")),
            Ok(day) if day < self.today => {
                Some(Refusal::new("statement-expired", format!("its last day was {day}, today is {}", self.today)))
            }
            Ok(_) => None,
        }
    }

    fn below_floor(&self, release: &Release) -> Option<Refusal> {
        (release.seq < self.min_seq).then(|| {
            let detail = format!("its sequence number is {}, and nothing below {} is taken", release.seq, self.min_seq);
            Refusal::new("below-floor", detail)
        })
    }

    fn revoked(&self, release: &Release, envelope: &Envelope) -> Option<Refusal> {
        match envelope.to_json() {
            Ok(bytes) => self.revocations.of(release, &Sha256::of(&bytes), &self.keys),
            Err(e) => Some(Refusal::new("statement-unreadable", e.what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::tests::sample;

    /// The last day is the last on which it is taken.
    #[test]
    fn days_and_numbers() {
        let trust = |today: &str, min_seq| Trust {
            keys: vec![],
            today: today.parse().unwrap(),
            min_seq,
            revocations: Revocations::default(),
            enrolled: None,
        };
        let envelope = Envelope { payload_type: String::new(), payload: vec![], signatures: vec![] };
        let reasons = |trust: Trust, release: &Release| -> Vec<&str> {
            trust.against(release, &envelope).iter().map(|refusal| refusal.reason).collect()
        };
        let mut release = sample(); // its sequence number is 3
        assert!(reasons(trust("2026-11-23", 3), &release).is_empty());
        assert_eq!(reasons(trust("2026-11-23", 4), &release), ["below-floor"]);
        release.not_after = Some("2026-11-22".into());
        assert!(reasons(trust("2026-11-22", 0), &release).is_empty());
        assert_eq!(reasons(trust("2026-11-23", 9), &release), ["statement-expired", "below-floor"]);
        release.not_after = Some("soon".into());
        assert_eq!(reasons(trust("2026-11-23", 0), &release), ["statement-inconsistent"]);
    }
}
