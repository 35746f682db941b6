//! Alerts from finding to line. In this order: evidence file, state, line, and that the line was printed; so whenever the program
//! is killed, no alert is lost, and one may be told twice.

use super::say;
use crate::clock::now;
use crate::files;
use crate::monitor::{short, Alert, Evidence, Finding, Kind, Shown, State, Store, ALERTS_LIMIT};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

/// Most alerts of one kind about one log or server: a log full of rubbish is one problem, not a million.
const ALIKE_LIMIT: usize = 100;

pub struct Ledger {
    store: Store,
    state: State,
    evidence: PathBuf,
    json: bool,
}

impl Ledger {
    /// # Errors
    /// When state or folder cannot be used.
    pub fn open(store: Store, evidence: PathBuf, json: bool) -> Result<Self> {
        let state = store.read()?;
        std::fs::create_dir_all(&evidence)
            .map_err(|e| Error::host(format!("{}: {e}", evidence.display()), "choose another place with --evidence"))?;
        Ok(Self { store, state, evidence, json })
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    pub fn open_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.state.alerts.iter().filter(|alert| alert.is_open())
    }

    pub fn count(&self) -> usize {
        self.open_alerts().count()
    }

    /// Makes what was seen last, and tells what was not told before the program ended.
    ///
    /// # Errors
    /// When the state cannot be written, or nobody reads what is said.
    pub fn take_note(&mut self) -> Result<()> {
        for alert in self.state.alerts.iter_mut().filter(|alert| !alert.acknowledged) {
            if self.store.acknowledged(&alert.id) {
                alert.acknowledged = true;
                say(
                    self.json,
                    json!({"about": alert.about, "event": "acknowledged", "id": alert.id, "kind": alert.kind.word()}),
                )?;
            }
        }
        self.tell()
    }

    /// Whether nothing is known of this yet, so that its evidence is worth the trouble.
    pub fn is_new(&self, finding: &Finding) -> bool {
        let id = finding.id();
        !self.state.alerts.iter().any(|alert| alert.id == id)
    }

    /// How many more alerts of this kind are kept.
    pub fn room(&self, kind: Kind, about: &str) -> usize {
        let about = printable(about);
        let alike = self.state.alerts.iter().filter(|alert| alert.kind == kind && alert.about == about).count();
        ALIKE_LIMIT.min(ALERTS_LIMIT.saturating_sub(self.state.alerts.len())).saturating_sub(alike)
    }

    /// Takes what one look has found, with what shows it. `judged`: kinds that were looked at; those of them that were found
    /// before, and not now, are mended.
    ///
    /// # Errors
    /// When evidence or state cannot be written, or nobody reads what is said.
    pub fn take(&mut self, about: &str, found: Vec<(Finding, Shown)>, judged: &[Kind]) -> Result<()> {
        let now = now()?.as_secs();
        let mut seen = BTreeSet::new();
        for (finding, shown) in found {
            seen.insert(finding.id());
            self.keep(&finding, shown, now)?;
        }
        let about = printable(about);
        let mut mended = vec![];
        for alert in &mut self.state.alerts {
            let asked = alert.about == about && judged.contains(&alert.kind) && !alert.kind.stays();
            if asked && alert.mended.is_none() && !seen.contains(&alert.id) {
                alert.mended = Some(now);
                mended.push(json!({"about": alert.about, "event": "mended", "id": alert.id, "kind": alert.kind.word(), "what": alert.what}));
            }
        }
        if !(seen.is_empty() && mended.is_empty()) {
            self.store.write(&self.state)?;
        }
        mended.into_iter().try_for_each(|line| say(self.json, line))?;
        self.tell()
    }

    fn keep(&mut self, finding: &Finding, shown: Shown, now: u64) -> Result<()> {
        let id = finding.id();
        let Some(at) = self.state.alerts.iter().position(|alert| alert.id == id) else {
            return self.add(finding, shown, now);
        };
        let reopened = self.state.alerts[at].mended.is_some();
        let evidence = if reopened { Some(self.evidence(finding, shown, now)?) } else { None };
        let alert = &mut self.state.alerts[at];
        alert.last = now;
        if !finding.kind.stays() {
            alert.what = short(&finding.what);
        }
        if reopened {
            // it has ended since somebody took note of it
            self.store.forget(&id)?;
            (alert.mended, alert.told, alert.acknowledged, alert.evidence) = (None, false, false, evidence);
        }
        Ok(())
    }

    fn add(&mut self, finding: &Finding, shown: Shown, now: u64) -> Result<()> {
        if self.state.alerts.len() >= ALERTS_LIMIT {
            let closed = self.state.alerts.iter().position(|alert| !alert.is_open());
            closed.map(|at| self.state.alerts.remove(at));
        }
        if self.room(finding.kind, &finding.about) == 0 {
            self.state.dropped += 1;
            let what = format!("more alerts of the kind {} than are remembered", finding.kind.word());
            let which = finding.kind.word().to_owned();
            let many = Finding { kind: Kind::TooMuch, about: finding.about.clone(), which, what, ..finding.clone() };
            if finding.kind != Kind::TooMuch && self.is_new(&many) && self.room(Kind::TooMuch, &finding.about) > 0 {
                self.state.alerts.push(Alert::new(&many, now));
            }
            return Ok(());
        }
        let evidence = self.evidence(finding, shown, now)?;
        self.state.alerts.push(Alert { evidence: Some(evidence), ..Alert::new(finding, now) });
        Ok(())
    }

    /// Writes the file, and gives its name.
    fn evidence(&self, finding: &Finding, shown: Shown, now: u64) -> Result<String> {
        let name = format!("{}-{}.json", finding.kind.word(), finding.id());
        let (about, what) = (printable(&finding.about), short(&finding.what));
        let file = Evidence::new(finding.kind, &about, &what, now, shown).to_file()?;
        files::publish(&self.evidence.join(&name), &file, "choose another place with --evidence")?;
        Ok(name)
    }

    fn tell(&mut self) -> Result<()> {
        let mut any = false;
        for alert in self.state.alerts.iter_mut().filter(|alert| !alert.told) {
            let evidence = alert.evidence.as_ref().map(|name| self.evidence.join(name).display().to_string());
            say(
                self.json,
                json!({
                    "about": alert.about, "advice": alert.kind.advice(), "event": "alert", "evidence": evidence,
                    "id": alert.id, "kind": alert.kind.word(), "what": alert.what,
                }),
            )?;
            (alert.told, any) = (true, true);
        }
        if any {
            self.store.write(&self.state)?;
        }
        Ok(())
    }

    /// A line that is no alert.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn say(&self, value: serde_json::Value) -> Result<()> {
        say(self.json, value)
    }

    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<()> {
        self.store.write(&self.state)
    }
}
