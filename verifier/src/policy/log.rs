//! `[log]`: the statement has to stand in a transparency log (V29).

use super::parse::Reader;
use crate::files;
use crate::lines::{self, Problem};
use serde::Deserialize;
use std::path::Path;
use toml::Spanned;
use vitrine_attest::config::Span;
use vitrine_attest::event_log::printable;
use vitrine_attest::tlog_policy::{self, Mistake, TLOG_POLICY_LIMIT};
use vitrine_attest::Result;

/// What a proof has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPolicy {
    pub trust: tlog_policy::Policy,
    /// Without it, a proof that is given is judged all the same.
    pub required: bool,
    /// Longest time since a quorum of witnesses saw the checkpoint.
    pub max_age: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    policy: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
    required: Option<bool>,
    max_age: Option<Spanned<String>>,
}

/// The file of `--log-policy`.
///
/// # Errors
/// One, with all mistakes and their lines.
pub fn read_log_policy(path: &Path) -> Result<LogPolicy> {
    let bytes = files::read(path, TLOG_POLICY_LIMIT)?;
    let problem = |Mistake { line, text }| Problem { line, text };
    let trust = usable(&bytes).map_err(|mistakes| {
        let problems = mistakes.into_iter().map(problem).collect();
        lines::error(path, problems, "correct the log policy; docs/formats/log.md has one")
    })?;
    Ok(LogPolicy { trust, required: true, max_age: None })
}

/// A policy without a log is one by the standard, and nothing could ever keep to it.
fn usable(bytes: &[u8]) -> std::result::Result<tlog_policy::Policy, Vec<Mistake>> {
    let trust = tlog_policy::Policy::parse(bytes)?;
    if trust.logs.is_empty() {
        return Err(vec![Mistake { line: 1, text: "it names no log, so no proof could be enough".into() }]);
    }
    Ok(trust)
}

impl LogTable {
    /// `folder`: where a relative `file` begins; none: no file is read.
    pub(super) fn read(table: &Spanned<Self>, reader: &mut Reader, folder: Option<&Path>) -> Option<LogPolicy> {
        let Self { policy, file, required, max_age } = table.get_ref();
        let (max_age_at, max_age) = (max_age, reader.value(max_age, "max_age"));
        let trust = match (policy, file) {
            (Some(text), None) => inline(text, reader),
            (None, Some(file)) => from_file(file, reader, folder),
            _ => {
                reader
                    .wrong(table, "log: give `policy`, the text of a log policy, or `file`, its name; one of the two");
                None
            }
        }?;
        if let Some(max_age) = max_age_at.as_ref().filter(|_| !trust.wants_witnesses()) {
            reader.wrong(max_age, "max_age: with \"quorum none\" nobody says how old a proof is");
        }
        Some(LogPolicy { trust, required: required.unwrap_or(true), max_age })
    }
}

fn inline(text: &Spanned<String>, reader: &mut Reader) -> Option<tlog_policy::Policy> {
    told(usable(text.get_ref().as_bytes()), text, "policy", reader)
}

fn from_file(file: &Spanned<String>, reader: &mut Reader, folder: Option<&Path>) -> Option<tlog_policy::Policy> {
    let Some(folder) = folder else {
        reader.wrong(file, "file: only a policy that is a file itself can name one; give `policy`");
        return None;
    };
    match files::read(&folder.join(file.get_ref()), TLOG_POLICY_LIMIT) {
        Ok(bytes) => told(usable(&bytes), file, "file", reader),
        Err(error) => {
            reader.wrong(file, format!("file: {}", error.what));
            None
        }
    }
}

/// All mistakes at the field, each with its line inside.
fn told(
    read: std::result::Result<tlog_policy::Policy, Vec<Mistake>>,
    at: &Spanned<String>,
    name: &str,
    reader: &mut Reader,
) -> Option<tlog_policy::Policy> {
    read.map_err(|mistakes| {
        for Mistake { line, text } in mistakes {
            reader.wrong(at, format!("{name}, line {line} of it: {}", printable(&text)));
        }
    })
    .ok()
}

impl LogPolicy {
    pub(super) fn words(&self) -> String {
        let logs: Vec<&str> = self.trust.logs.iter().map(|log| log.key.name()).collect();
        let required = if self.required { "required" } else { "judged when given" };
        let age = self.max_age.map(|span| format!("; at most {span} old")).unwrap_or_default();
        format!("a proof is {required}: {}; witnesses: {}{age}", logs.join(" or "), self.trust.words())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "logs": self.trust.logs.iter().map(|log| log.key.to_string()).collect::<Vec<_>>(),
            "witnesses": self.trust.witnesses.iter().map(|witness| witness.key.to_string()).collect::<Vec<_>>(),
            "quorum": self.trust.words(),
            "required": self.required,
            "max_age": self.max_age.map(|span| span.to_string()),
        })
    }
}
