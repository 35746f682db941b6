//! What a report says of a program of the operator's own in the image.

use serde::Serialize;
use vitrine_attest::app_facts::{AppFacts, AppProgram};
use vitrine_attest::statement::Release;

/// ```json
/// {"audit":{…},"command":["/usr/bin/python3.13","/srv/server.py"]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppReport {
    /// What the measured configuration starts; empty when it starts nothing and the statement says otherwise.
    pub command: Vec<String>,
    /// What the statement says of it; none: nothing was audited.
    pub stated: Option<AppFacts>,
}

impl AppReport {
    /// `None`: the image has none.
    pub fn of(release: &Release) -> Option<Self> {
        let (config, stated) = (release.config.app.as_ref(), release.app.clone());
        (config.is_some() || stated.is_some())
            .then(|| Self { command: config.map(|app| app.command.clone()).unwrap_or_default(), stated })
    }

    /// Two lines: what it is, and what the audit said.
    pub fn facts_into(&self, fact: &mut impl FnMut(&str, String)) {
        fact("Own program", format!("the operator's, behind the gateway: {}", self.command.join(" ")));
        fact("Its audit", self.stated.as_ref().map_or("none: the statement says nothing of one".into(), audit));
    }
}

/// `what runs is what was audited: 0 errors, 1 accepted by a waiver, 0 looked at by a person; report …`
fn audit(stated: &AppFacts) -> String {
    let AppFacts { audit, .. } = stated;
    let tied = match stated.program {
        AppProgram::Interpreted if audit.without.is_empty() => "what runs is what was audited".to_string(),
        AppProgram::Interpreted => format!("what runs is what was audited, without {}", audit.without.join(", ")),
        AppProgram::Binary if audit.without.is_empty() => BINARY.to_string(),
        AppProgram::Binary => format!("{BINARY}, of which {} was left out", audit.without.join(", ")),
    };
    let (errors, waived, reviewed) = (audit.errors, audit.waived, audit.reviewed);
    format!(
        "{tied}: {errors} errors, {waived} accepted by a waiver, {reviewed} looked at by a person; report {}",
        audit.report
    )
}

const BINARY: &str = "a binary, made from the audited sources by the operator's word alone";

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::app_facts::AppAudit;
    use vitrine_attest::Sha256;

    fn lines(program: AppProgram, without: &[&str]) -> String {
        let hash = Sha256::ZERO;
        let without = without.iter().map(|word| (*word).to_string()).collect();
        let audit = AppAudit { report: hash, policy: hash, errors: 0, waived: 2, reviewed: 1, without };
        let stated = Some(AppFacts { files: hash, program, sources: hash, audit });
        let mut lines = String::new();
        let report = AppReport { command: vec!["/srv/server".into(), "-x".into()], stated };
        report.facts_into(&mut |name, value| lines += &format!("{name}: {value}\n"));
        lines
    }

    #[test]
    fn what_it_is_and_what_the_audit_said() {
        let text = lines(AppProgram::Interpreted, &[]);
        assert!(
            text.starts_with(
                "Own program: the operator's, behind the gateway: /srv/server -x\nIts audit: what runs is"
            ),
            "{text}"
        );
        assert!(text.contains("0 errors, 2 accepted by a waiver, 1 looked at by a person; report 0000"), "{text}");
        assert!(lines(AppProgram::Interpreted, &["c"]).contains("audited, without c"));
        assert!(lines(AppProgram::Binary, &[]).contains("by the operator's word alone: 0 errors"));
        assert!(lines(AppProgram::Binary, &["c", "sql"]).contains("of which c, sql was left out"));
        let none = AppReport { command: vec![], stated: None };
        none.facts_into(&mut |name, value| assert!(name != "Its audit" || value.starts_with("none"), "{value}"));
    }
}
