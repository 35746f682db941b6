//! Between the lock and the files: a program of the operator's own is audited before anything of it goes into an image.

use super::Workshop;
use crate::lock::Locked;
use crate::out::{self, Leaves, Left};
use std::collections::BTreeMap;
use vitrine_attest::app_facts::{AppAudit, AppFacts, AppProgram};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_source_audit::{audit_files, Audit, Level, Options, Rules};

/// A recipe and lock whose program, if there is one, the source audit lets through.
#[derive(Debug)]
pub struct Audited {
    pub(super) locked: Locked,
    pub(super) app: Option<AuditedApp>,
}

/// `app-audit.json`: as `vitrine screen --source --json` prints it, with line ends.
#[derive(Debug)]
pub struct Findings {
    json: Vec<u8>,
}

/// What is known of the program before its root is staged.
#[derive(Debug)]
pub(super) struct AuditedApp {
    program: AppProgram,
    sources: Sha256,
    audit: AppAudit,
}

impl AuditedApp {
    /// `files`: digest of the staged root.
    pub fn facts(self, files: Sha256) -> AppFacts {
        AppFacts { files, program: self.program, sources: self.sources, audit: self.audit }
    }
}

impl Audited {
    /// Audits the sources of `[app]`. `keep` gets the findings in either case, before a refusal ends the build; without an `[app]` there
    /// are none.
    ///
    /// # Errors
    /// Blame Artefact, with all findings, when there is an error that no waiver accepts; Input when something could not be judged, or a
    /// person has to look, or `app.without` names no language.
    pub fn new(locked: Locked, with: &Workshop, keep: impl FnOnce(&Findings) -> Result<()>) -> Result<Self> {
        let recipe = locked.recipe();
        let Some((spec, input)) = recipe.app.as_ref().zip(recipe.app_input.as_ref()) else {
            return Ok(Self { locked, app: None });
        };
        with.progress.step("audit the sources of app");
        let options = Options { waivers: input.waivers.clone(), without: spec.without.iter().cloned().collect() };
        let audit = audit_files(input.sources(), &options, &Rules::standard()).map_err(|e| e.within("app.without"))?;
        let findings = Findings::of(&audit)?;
        keep(&findings)?;
        judge(&audit, input.sources())?;
        if input.program == AppProgram::Binary {
            with.progress
                .note("the program of [app] is a binary: that it was made from the audited sources is your word alone");
        }
        let app = AuditedApp {
            program: input.program,
            sources: input.sources_digest(),
            audit: counts(&audit, Sha256::of(&findings.json)),
        };
        Ok(Self { locked, app: Some(app) })
    }
}

fn judge(audit: &Audit, sources: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let text = audit.to_string();
    let text = text.trim_end();
    match audit.exit_code() {
        0 if audit.files.is_empty() && audit.without.is_empty() => Err(Error::input(
            format!("the source audit found no code among the {} files of app.sources", sources.len()),
            "name the folder of the program's sources",
        )),
        0 => Ok(()),
        1 => Err(Error::artefact(
            format!("the source audit refuses the program of [app]\n{text}"),
            "change the sources as each finding says, or accept it with a [[waiver]] in the file of app.waivers",
        )),
        _ => Err(Error::input(
            format!("the source audit could not judge the program of [app] altogether\n{text}"),
            "make it readable, look at what is for review and waive it in app.waivers, or leave a language out with app.without",
        )),
    }
}

fn counts(audit: &Audit, report: Sha256) -> AppAudit {
    let accepted = |level: Level| {
        audit.findings.iter().filter(|found| found.level == level && found.finding.waived.is_some()).count() as u64
    };
    AppAudit {
        report,
        policy: audit.policy,
        errors: audit.open(Level::Error).count() as u64,
        waived: accepted(Level::Error),
        reviewed: accepted(Level::Review),
        without: audit.without.clone(),
    }
}

impl Findings {
    fn of(audit: &Audit) -> Result<Self> {
        let mut json = serde_json::to_vec_pretty(audit)
            .map_err(|e| Error::bug(format!("the audit's findings have no JSON form: {e}")))?;
        json.push(b'\n');
        Ok(Self { json })
    }
}

impl Leaves for Findings {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::APP_AUDIT, (&self.json).into())])
    }
}
