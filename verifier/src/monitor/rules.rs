//! What is looked for in entries. No I/O; what stands here was hashed into the log before.

use super::alert::{Finding, Kind, Proving};
use super::changes::Changes;
use super::config::Watched;
use super::release::ReleaseSeen;
use super::state::{LogState, RevocationSeen, ScreenSeen, VerdictSeen, RELEASES_LIMIT};
use vitrine_attest::dsse::Envelope;
use vitrine_attest::entry::{signers, Entry};
use vitrine_attest::event_log::printable;
use vitrine_attest::rebuild_verdict::RebuildVerdict;
use vitrine_attest::revocation::Revocation;
use vitrine_attest::statement::{Release, Statement};
use vitrine_attest::Sha256;

/// Kinds of entries that are counted by their names; all others are counted together.
const KINDS_LIMIT: usize = 64;
/// Longest name of a kind that is kept, in characters.
const KIND_LIMIT: usize = 100;

/// The rules of one log.
pub struct Rules<'a> {
    pub watched: &'a Watched,
    /// Seconds since 1970.
    pub now: u64,
    /// An earlier release, by its entry: what has changed since is told only if it can be had.
    pub earlier: &'a mut dyn FnMut(u64) -> Option<Release>,
}

impl Rules<'_> {
    /// Judges one entry, and remembers what later ones are compared with.
    pub fn judge(&mut self, log: &mut LogState, index: u64, bytes: &[u8]) -> Vec<Finding> {
        let (envelope, entry) = match Entry::read(bytes) {
            Ok(read) => read,
            Err(error) => {
                count(log, "malformed");
                let what = format!("entry {index} is no statement: {}", error.what);
                return vec![self.finding(Kind::MalformedEntry, &index.to_string(), what, &[index])];
            }
        };
        count(log, entry.kind());
        match entry {
            Entry::Release(statement) => self.release(log, index, bytes, &envelope, &statement),
            Entry::Revocation(statement) => self.revocation(log, index, &envelope, &statement.predicate),
            Entry::RebuildVerdict(statement) => {
                let found = self.verdict(log, Some(index), &envelope, &statement.predicate);
                found
                    .map(|(which, what)| self.finding(Kind::RebuildDiffers, &which, what, &[index]))
                    .into_iter()
                    .collect()
            }
            Entry::ZeroLog(statement) if self.expected(&envelope) => {
                let said = &statement.predicate;
                let seen = ScreenSeen { index, hash: said.hash, rules: said.rules, accepted: said.accepted };
                if let (Some(image), true) =
                    (statement.subject.first().and_then(|s| s.sha256()), log.screens.len() < RELEASES_LIMIT)
                {
                    log.screens.insert(image, seen);
                }
                vec![]
            }
            Entry::ZeroLogReport(statement) if self.expected(&envelope) => {
                if let (Some(image), true) =
                    (statement.subject.first().and_then(|s| s.sha256()), log.reports.len() < RELEASES_LIMIT)
                {
                    log.reports
                        .insert(image, printable(&statement.predicate.verdict).chars().take(KIND_LIMIT).collect());
                }
                vec![]
            }
            Entry::ZeroLog(_) | Entry::ZeroLogReport(_) | Entry::FleetEpoch(_) | Entry::Unknown(_) => vec![],
        }
    }

    fn release(
        &mut self,
        log: &mut LogState,
        index: u64,
        bytes: &[u8],
        envelope: &Envelope,
        statement: &Statement,
    ) -> Vec<Finding> {
        let image = &statement.predicate.image;
        if !self.watched.names(&image.name) {
            return vec![];
        }
        let title = format!("{} {}", image.name, image.version);
        if !self.expected(envelope) {
            let named: Vec<&str> = self.signed_by(envelope);
            let by =
                if named.is_empty() { "by none of your keys".into() } else { format!("only by {}", named.join(", ")) };
            let what = format!(
                "entry {index} is the release {title}, and it is signed {by}; {} of {} are expected",
                self.watched.threshold,
                self.watched.release_keys.len()
            );
            return vec![self.finding(Kind::UnexpectedKey, &index.to_string(), what, &[index])];
        }
        let Some(mut seen) = ReleaseSeen::of(index, statement, Sha256::of(bytes), &envelope.payload, self.now) else {
            let what = format!("entry {index}, the release {title}, names no image");
            return vec![self.finding(Kind::MalformedEntry, &index.to_string(), what, &[index])];
        };
        let mut findings = vec![];
        let same_name = |other: &&ReleaseSeen| other.name == seen.name && other.payload != seen.payload;
        let others: Vec<&ReleaseSeen> = log.releases.iter().filter(same_name).collect();
        if let Some(other) = others.iter().find(|other| other.version == seen.version) {
            let what = format!("entries {} and {index} are two different releases {title}", other.index);
            let which = format!("{} {}", other.index, index);
            findings.push(self.finding(Kind::TwoReleases, &which, what, &[other.index, index]));
        }
        if let Some(other) = others.iter().filter(|other| other.seq >= seen.seq).max_by_key(|other| other.seq) {
            let what = format!(
                "entry {index}, {title}, has the sequence number {}, and entry {} before it, {} {}, has {}",
                seen.seq, other.index, other.name, other.version, other.seq
            );
            findings.push(self.finding(Kind::Sequence, &index.to_string(), what, &[other.index, index]));
        }
        seen.signers = self.signed_by(envelope).into_iter().map(String::from).collect();
        let before = others.iter().max_by_key(|other| other.index).map(|other| other.index);
        seen.changes =
            before.and_then(|before| Some(Changes::between(before, &(self.earlier)(before)?, &statement.predicate)));
        if log.releases.len() >= RELEASES_LIMIT {
            let what = format!("more than {RELEASES_LIMIT} releases: entry {index} and later ones are not compared");
            findings.push(self.finding(Kind::TooMuch, "releases", what, &[index]));
        } else {
            log.releases.push(seen);
        }
        findings
    }

    fn revocation(&self, log: &mut LogState, index: u64, envelope: &Envelope, said: &Revocation) -> Vec<Finding> {
        if self.signed_by(envelope).is_empty() {
            let ours = log.releases.iter().any(|release| means(said, release));
            let what = format!("entry {index} revokes a release, and none of your keys has signed it");
            let finding = || self.finding(Kind::UnexpectedKey, &index.to_string(), what.clone(), &[index]);
            return ours.then(finding).into_iter().collect();
        }
        if log.revocations.len() < RELEASES_LIMIT {
            log.revocations.push(RevocationSeen {
                index,
                fingerprint: said.fingerprint.map(|f| f.to_string()),
                statement: said.statement,
                reason: said.reason.word().into(),
                text: said.text.clone(),
                date: said.date.to_string(),
            });
            return vec![];
        }
        let what = format!("more than {RELEASES_LIMIT} revocations: entry {index} and later ones are not remembered");
        vec![self.finding(Kind::TooMuch, "revocations", what, &[index])]
    }

    /// What a verdict shows; it is remembered when it stands in the log. None: it is nothing that was asked for.
    pub fn verdict(
        &self,
        log: &mut LogState,
        index: Option<u64>,
        envelope: &Envelope,
        said: &RebuildVerdict,
    ) -> Option<(String, String)> {
        let by: Vec<String> =
            signers(envelope, &self.watched.rebuilders).iter().map(|key| key.name().to_owned()).collect();
        if by.is_empty() && !self.watched.rebuilders.is_empty() {
            return None;
        }
        let release = log.releases.iter().find(|release| release.image == said.image.expected)?;
        let title = format!("{} {}", release.name, release.version);
        if let Some(index) = index.filter(|_| log.verdicts.len() < RELEASES_LIMIT) {
            let (image, equal, date) = (said.image.expected, said.equal, said.date.to_string());
            log.verdicts.push(VerdictSeen { index, image, equal, date, signers: by.clone() });
        }
        if said.equal {
            return None;
        }
        let who = if by.is_empty() { "somebody whom you have not named".into() } else { by.join(", ") };
        let first = said.first_difference.as_ref().map(|stage| format!(", first in {stage}")).unwrap_or_default();
        let what = format!("{who} has built {title} again and got another image{first}: {}", said.image.got);
        Some((Sha256::of(&envelope.payload).to_string(), what))
    }

    fn signed_by(&self, envelope: &Envelope) -> Vec<&str> {
        signers(envelope, &self.watched.release_keys).iter().map(|key| key.name()).collect()
    }

    fn expected(&self, envelope: &Envelope) -> bool {
        self.signed_by(envelope).len() >= self.watched.threshold
    }

    fn finding(&self, kind: Kind, which: &str, what: String, entries: &[u64]) -> Finding {
        let (about, which) = (self.watched.origin.clone(), which.to_owned());
        Finding { kind, about, which, what, proving: Proving::Entries(entries.to_vec()) }
    }
}

/// Whether a revocation is about this release.
fn means(said: &Revocation, release: &ReleaseSeen) -> bool {
    said.fingerprint == Some(release.fingerprint) || said.statement == Some(release.envelope)
}

fn count(log: &mut LogState, kind: &str) {
    let name: String = printable(kind).chars().take(KIND_LIMIT).collect();
    let known = log.kinds.contains_key(&name) || log.kinds.len() < KINDS_LIMIT;
    *log.kinds.entry(if known { name } else { "others".into() }).or_default() += 1;
}
