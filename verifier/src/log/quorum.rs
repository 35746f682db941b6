//! The witnesses of a log that `DIR/witnesses` names (C2SP tlog-policy), asked over HTTP.
//!
//! ```text
//! witness w1 witness.example/w1+d2c5f772+BCm1vtJMLOuz9qG5i4/AV3rQe5PXMIyKRwEN+g1gDvLJ http://witness.example
//! quorum w1
//! ```

use super::{Config, Folder, Witnesses};
use crate::files;
use crate::server::agent;
use crate::witness::{cosign, known_sizes, Failure, WitnessAt};
use std::time::Duration;
use ureq::Agent;
use vitrine_attest::note::{Checkpoint, Note, Signer};
use vitrine_attest::tlog_policy::{LogEntry, Policy, TLOG_POLICY_LIMIT};
use vitrine_attest::{Error, Result, Sha256};

/// For all witnesses together, each time that they are asked.
const DEADLINE: Duration = Duration::from_secs(30);

/// Those that have to sign, and where they are.
pub struct Quorum {
    policy: Policy,
    at: Vec<WitnessAt>,
    agent: Agent,
}

impl Quorum {
    /// What the log's folder says. None: it has no witnesses.
    ///
    /// # Errors
    /// When the file is none, or a witness has no address.
    pub fn of(folder: &Folder, config: &Config) -> Result<Option<Self>> {
        let path = folder.witnesses();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path, TLOG_POLICY_LIMIT)?;
        Self::parse(&bytes, config).map(Some).map_err(|e| e.within(path.display()))
    }

    /// # Errors
    /// As for [`Self::of`].
    pub fn parse(bytes: &[u8], config: &Config) -> Result<Self> {
        let hint =
            "write it as a C2SP tlog-policy: `witness NAME KEY http://…` for each, and a quorum; see docs/publish.md";
        let mut policy = Policy::parse(bytes).map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(|m| format!("line {}: {}", m.line, m.text)).collect();
            Error::input(lines.join("\n"), hint)
        })?;
        // whatever logs it names: here it is about this one
        policy.logs = config.public()?.into_iter().map(|key| LogEntry { key, url: None }).collect();
        let at = policy.witnesses.iter().map(|witness| {
            let url = witness
                .url
                .clone()
                .ok_or_else(|| Error::input(format!("witness {} has no address", witness.name), hint))?;
            Ok(WitnessAt { key: witness.key.clone(), url, old: 0 })
        });
        Ok(Self { at: at.collect::<Result<_>>()?, policy, agent: agent() })
    }

    /// Whether these of them would be enough.
    fn enough(&self, answered: impl Fn(usize) -> bool) -> bool {
        let log = self.policy.logs.iter().take(1).map(|log| Signer { key: &log.key, time: None });
        let witnesses = self.at.iter().enumerate().filter(|(n, _)| answered(*n));
        let signers: Vec<Signer<'_>> =
            log.chain(witnesses.map(|(_, at)| Signer { key: &at.key, time: Some(0) })).collect();
        let origin = signers.first().map_or("", |log| log.key.name());
        self.policy.satisfied(origin, &signers).is_ok()
    }
}

impl Witnesses for Quorum {
    fn guard(&mut self, published: &str, size: u64) -> Result<()> {
        let known = known_sizes(&self.agent, &self.at, published, DEADLINE);
        for known in &known {
            let ahead = match known.result {
                Ok(theirs) | Err(Failure::Ahead { size: theirs }) if theirs > size => Some(format!("{theirs} entries")),
                Err(Failure::Conflict) => Some("another tree of the same size".into()),
                _ => None,
            };
            if let Some(theirs) = ahead {
                return Err(Error::artefact(
                    format!("{} knows {theirs} of this log, and this folder has {size}: it is an old copy", known.name),
                    "restore the newest state of the log. Signing from an old one would fork it, which nobody could ever take back",
                ));
            }
        }
        if !self.enough(|n| known[n].result.is_ok()) {
            let failures = known.iter().filter_map(|known| Some((known.name.as_str(), known.result.as_ref().err()?)));
            return Err(too_few("nothing was signed: too few witnesses say how far they know this log", failures));
        }
        for (at, known) in self.at.iter_mut().zip(&known) {
            at.old = *known.result.as_ref().unwrap_or(&0);
        }
        Ok(())
    }

    fn cosign(&mut self, note: &str, prove: &mut (dyn FnMut(u64) -> Result<Vec<Sha256>> + Send)) -> Result<String> {
        let outcomes = cosign(&self.agent, &self.at, note, prove, DEADLINE);
        let lines: String =
            outcomes.iter().flat_map(|outcome| &outcome.result).map(|line| line.line.as_str()).collect();
        let judged = Note::parse(format!("{note}{lines}").as_bytes())
            .and_then(|note| Ok((Checkpoint::parse(note.text())?, note)))
            .map_err(Error::bug)?;
        if self.policy.judge(&judged.1, &judged.0).is_err() {
            let failures =
                outcomes.iter().filter_map(|outcome| Some((outcome.name.as_str(), outcome.result.as_ref().err()?)));
            let what = "too few witnesses signed: the entries are kept, and are not published yet";
            return Err(too_few(what, failures));
        }
        for (at, outcome) in self.at.iter_mut().zip(&outcomes) {
            if outcome.result.is_ok() {
                at.old = judged.0.size;
            }
        }
        Ok(lines)
    }
}

fn too_few<'f>(what: &str, failures: impl Iterator<Item = (&'f str, &'f Failure)>) -> Error {
    let each: String = failures.map(|(name, failure)| format!("\n  {name}: {}", words(failure))).collect();
    Error::host(
        format!("{what}{each}"),
        "mend what stands above, then run `vitrine-verify log refresh` on the log's folder",
    )
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Address(why) | Failure::Unreachable(why) | Failure::BadSignature(why) | Failure::Ours(why) => {
            why.clone()
        }
        Failure::Refused { status: 404 } => "does not witness this log: its operator has to add the log's key".into(),
        Failure::Refused { status: 403 } => "does not know this key of the log".into(),
        Failure::Refused { status: 422 } => "knows another history of this log".into(),
        Failure::Refused { status } => format!("refused (status {status})"),
        Failure::Ahead { size } => format!("knows {size} entries already"),
        Failure::Conflict => "knows another tree of the same size".into(),
    }
}
