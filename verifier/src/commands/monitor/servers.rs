//! Servers held against the releases of a log: by the very checks of `check`, with each statement that the log has of the
//! image that the server says it runs.

use super::entries::is_read;
use super::log::known;
use super::Round;
use crate::bundle::{self, Bundle};
use crate::clock::now;
use crate::commands::fleet::{judge_by, Grounds};
use crate::commands::watch::{from_report, state::Seen};
use crate::exchange::{Exchange, FILE_LIMIT};
use crate::grounds::Ground;
use crate::log::Snapshot;
use crate::monitor::{Config, Finding, Kind, LogState, Proving, ReleaseSeen, ServerAt, ServerState, Shown, Watched};
use crate::outcome::NOT_REACHED;
use crate::policy::Policy;
use crate::promise::Promise;
use crate::published::{Given, Published};
use crate::server::Server;
use crate::verdict::Level;
use crate::{files, roots, session};
use std::path::Path;
use std::sync::Arc;
use vitrine_attest::ek::Roots;
use vitrine_attest::entry::{signers, Entry};
use vitrine_attest::event_log::printable;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::{Error, Result};

/// Most statements that one server's evidence is held against, the newest first.
const STATEMENTS_LIMIT: usize = 16;

/// What servers are judged by beside the log, in their order.
pub(super) struct Servers(Vec<(usize, Option<Roots>)>);

impl Servers {
    /// # Errors
    /// When a file cannot be used, or a server names a log that is not followed.
    pub(super) fn open(config: &Config, watched: &[Watched]) -> Result<Self> {
        let one = |server: &ServerAt| {
            let named = |log: &Watched| server.log.as_ref().is_none_or(|name| *name == log.origin);
            let log = watched.iter().position(named).ok_or_else(|| {
                let name = server.log.as_deref().unwrap_or_default();
                Error::input(format!("server {}: no [[log]] is {name}", server.name), "name a log by its origin")
            })?;
            Ok((log, server.ek_roots.as_deref().map(roots::read).transpose()?))
        };
        config.servers.iter().map(one).collect::<Result<_>>().map(Self)
    }
}

/// What came of one look.
struct Looked {
    state: ServerState,
    finding: Option<(Kind, String)>,
    record: Vec<u8>,
}

impl Round<'_> {
    pub(super) fn server(&mut self, n: usize) -> Result<()> {
        let server = self.config.servers[n].clone();
        let (watched, roots) = (&self.watched[self.servers.0[n].0], self.servers.0[n].1.clone());
        let nothing = LogState::default();
        let log = self.ledger.state().logs.get(&watched.origin).unwrap_or(&nothing);
        let (looked, checkpoint) = (self.look(&server, watched, roots, log), known(Some(log)).map(|known| known.note));
        let at = now()?.as_secs();
        let accepted = self.ledger.state().servers.get(&server.name).and_then(|state| state.accepted);
        match looked {
            Ok(looked) => {
                let accepted = if looked.state.seen == "accepted" { Some(at) } else { accepted };
                let state = ServerState { looked: at, accepted, ..looked.state };
                self.ledger.state_mut().servers.insert(server.name.clone(), state);
                let shown = Shown::Server { record: looked.record, checkpoint };
                let found = looked.finding.map(|(kind, what)| {
                    let which = if kind == Kind::ServerRejected { String::new() } else { what.clone() };
                    let about = server.name.clone();
                    (Finding { kind, about, which, what, proving: Proving::Shown(shown.clone()) }, shown)
                });
                self.ledger.take(&server.name, found.into_iter().collect(), &[Kind::ServerRejected])
            }
            Err(error) => {
                let words = printable(&error.what);
                let state = ServerState { seen: "could-not-judge".into(), words, release: None, looked: at, accepted };
                self.ledger.state_mut().servers.insert(server.name.clone(), state);
                self.trouble(&server.name, &error.what)
            }
        }
    }

    fn look(&self, at: &ServerAt, watched: &Watched, roots: Option<Roots>, log: &LogState) -> Result<Looked> {
        let snapshot = known(Some(log)).filter(|_| is_read(log)).ok_or_else(|| {
            Error::host(format!("{} is not read to its end", watched.origin), "wait until the monitor has read the log")
        })?;
        let exchange = self.exchange(at, watched)?;
        let record = exchange.to_record().unwrap_or_else(|_| exchange.evidence.clone());
        let evidence: Evidence = serde_json::from_slice(&exchange.evidence)
            .map_err(|e| Error::host(format!("what it gives is no evidence: {e}"), "ask the operator"))?;
        let says = printable(&evidence.image_id);
        let state = |seen: &str, words: String, release| ServerState {
            seen: seen.into(),
            words,
            release,
            ..Default::default()
        };
        let exact: Vec<&ReleaseSeen> = log.releases.iter().filter(|r| r.image_id() == evidence.image_id).collect();
        let candidates = if exact.is_empty() { log.releases.iter().collect() } else { exact.clone() };
        let candidates: Vec<&ReleaseSeen> = candidates.into_iter().rev().take(STATEMENTS_LIMIT).collect();
        if candidates.is_empty() {
            let what = format!("it says that it runs {says}, and the log has no release by the expected keys");
            let finding = Some((Kind::UnloggedImage, what.clone()));
            return Ok(Looked { state: state("unlogged", what, None), finding, record });
        }
        let promises =
            candidates.iter().map(|release| promise(watched, &snapshot, release)).collect::<Result<Vec<_>>>()?;
        let grounds = Grounds {
            promises: promises.clone(),
            roots,
            policy: Policy::default(),
            published: published(watched, &snapshot, log)?,
            level: at.accept_level.unwrap_or(Level::L2),
        };
        let (case, report) = judge_by(exchange, &grounds, None)?;
        let by = promises.iter().position(|promise| Arc::ptr_eq(promise, &case.inputs.promise));
        let release = by.map(|by| candidates[by].index);
        let grounds_of = report.grounds.clone();
        Ok(match from_report(report) {
            Seen::Accepted(_) => Looked { state: state("accepted", says, release), finding: None, record },
            Seen::Rejected(reasons) => {
                let (kind, why) = (sort(&grounds_of), words(&reasons));
                let (seen, what) = match kind {
                    Kind::UnloggedImage => (
                        "unlogged",
                        format!(
                            "it says that it runs {says}, and no release of the log predicts what its TPM signs: {why}"
                        ),
                    ),
                    _ => ("rejected", format!("it says that it runs {says}, and is rejected: {why}")),
                };
                Looked { state: state(seen, what.clone(), None), finding: Some((kind, what)), record }
            }
            Seen::CouldNotJudge(why) | Seen::Unreachable(why) => {
                return Err(Error::host(why, "give `ek_roots`, or `accept_level = \"L1\"`"));
            }
        })
    }

    /// From the server, or from a file.
    fn exchange(&self, at: &ServerAt, watched: &Watched) -> Result<Exchange> {
        if at.url.contains("://") {
            return session::converse(&Server::over(&self.agent, &at.url, at.timeout.duration())?);
        }
        let bytes = files::read(Path::new(&at.url), FILE_LIMIT)?;
        let evidence = if bundle::is_one(&bytes) { Bundle::from_file(&at.url, &bytes)?.evidence()? } else { bytes };
        Exchange::from_file(&at.url, &evidence, None, Some(&watched.policy.keys()))
    }
}

/// The image is another one only if the quote itself holds: what nobody's TPM has signed shows nothing of an image.
fn sort(grounds: &[Ground]) -> Kind {
    let quote = !grounds.iter().any(|ground| matches!(ground, Ground::Evidence | Ground::Tpm));
    if quote && grounds.contains(&Ground::ImageChanged) {
        Kind::UnloggedImage
    } else {
        Kind::ServerRejected
    }
}

/// Without those that follow from others.
fn words(reasons: &[String]) -> String {
    let own = reasons.iter().filter(|reason| !reason.ends_with(NOT_REACHED)).map(String::as_str);
    own.collect::<Vec<_>>().join(", ")
}

/// The statement as it stands in the log, proven anew.
fn promise(watched: &Watched, snapshot: &Snapshot, release: &ReleaseSeen) -> Result<Arc<Promise>> {
    let (bytes, _) = snapshot.entry(&watched.place, release.index)?;
    let (envelope, _) = Entry::read(&bytes)?;
    let key = signers(&envelope, &watched.release_keys).first().map(|key| (*key).clone());
    let key = key.ok_or_else(|| Error::artefact(format!("entry {} has changed", release.index), ""))?;
    Ok(Promise::new(envelope, key).into())
}

/// Revocations that stand in the log.
fn published(watched: &Watched, snapshot: &Snapshot, log: &LogState) -> Result<Published> {
    let mut given = vec![];
    for revocation in &log.revocations {
        let (bytes, _) = snapshot.entry(&watched.place, revocation.index)?;
        if let (envelope, Entry::Revocation(statement)) = Entry::read(&bytes)? {
            given
                .push(Given { name: format!("entry {}", revocation.index), said: Ok((envelope, statement.predicate)) });
        }
    }
    Ok(Published { revocations: Some(given.into()), rebuilds: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_quote_shows_no_image() {
        assert_eq!(sort(&[Ground::ImageChanged]), Kind::UnloggedImage);
        assert_eq!(sort(&[Ground::ImageChanged, Ground::SecureBootChanged]), Kind::UnloggedImage);
        assert_eq!(sort(&[Ground::ImageChanged, Ground::Evidence]), Kind::ServerRejected);
        assert_eq!(sort(&[Ground::ImageChanged, Ground::Tpm]), Kind::ServerRejected);
        assert_eq!(sort(&[Ground::Statement]), Kind::ServerRejected);
        assert_eq!(words(&["V20 a".into(), "V21 not-reached".into(), "V23 b".into()]), "V20 a, V23 b");
    }
}
