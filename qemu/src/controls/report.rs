//! What came of the controls: lines for people, JSON, and the table of `docs/controls.md`.

use super::{Control, Layer, Verdict};
use serde::Serialize;
use std::fmt;

/// All controls.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub controls: Vec<Row>,
}

/// One control.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub name: String,
    pub what: String,
    pub why: String,
    pub layers: Vec<Outcome>,
}

/// What one layer said.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub layer: Layer,
    /// `None`: it was not asked.
    pub caught: Option<bool>,
    pub rules: Vec<String>,
    /// Why it did not catch it, or was not asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Outcome {
    pub fn new(layer: Layer, verdict: Verdict) -> Self {
        let (caught, rules, note) = match verdict {
            Verdict::Caught(rules) => (Some(true), rules, String::new()),
            Verdict::Missed(note) => (Some(false), Vec::new(), note),
            Verdict::NotTried(note) => (None, Vec::new(), note),
        };
        Self { layer, caught, rules, note }
    }

    fn words(&self) -> String {
        let rules = self.rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", ");
        match (self.caught, rules.is_empty()) {
            (Some(true), true) => self.layer.name().into(),
            (Some(true), false) => format!("{}: {rules}", self.layer.name()),
            (Some(false), _) => format!("**not by the {}**: {}", self.layer.name(), self.note),
            (None, _) => format!("not tried ({})", self.note),
        }
    }
}

impl Row {
    pub fn new(control: &Control, layers: Vec<Outcome>) -> Self {
        Self { name: control.name.clone(), what: control.what.clone(), why: control.why.clone(), layers }
    }

    /// A layer that had to catch it did not.
    pub fn missed(&self) -> bool {
        self.layers.iter().any(|outcome| outcome.caught == Some(false))
    }

    /// Somebody was not asked.
    pub fn untried(&self) -> bool {
        self.layers.iter().any(|outcome| outcome.caught.is_none())
    }

    fn by(&self) -> String {
        self.layers.iter().map(Outcome::words).collect::<Vec<_>>().join("; ")
    }
}

/// `nft-log  screen: module.never`
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20}  {}", self.name, self.by().replace(['`', '*'], ""))
    }
}

impl Report {
    /// 0: each was caught. 1: one was not. 2: one was not tried, unless the caller wanted it so.
    pub fn exit_code(&self, screen_only: bool) -> u8 {
        if self.controls.iter().any(Row::missed) {
            1
        } else if !screen_only && self.controls.iter().any(Row::untried) {
            2
        } else {
            0
        }
    }

    /// First what was left out, then each control, then the sum.
    pub fn text(&self) -> String {
        let left_out: Vec<&str> =
            self.controls.iter().filter(|row| row.untried()).map(|row| row.name.as_str()).collect();
        let mut text = match left_out.is_empty() {
            true => String::new(),
            false => format!("not tried: {}\n", left_out.join(", ")),
        };
        for row in &self.controls {
            text += &format!("{row}\n");
        }
        let missed = self.controls.iter().filter(|row| row.missed()).count();
        let caught = self.controls.len() - missed - self.controls.iter().filter(|r| r.untried() && !r.missed()).count();
        text + &format!("caught: {caught}, missed: {missed}, not tried: {}\n", left_out.len())
    }

    /// `docs/controls.md`.
    pub fn page(&self) -> String {
        let mut page = String::from(HEAD);
        for row in &self.controls {
            page += &format!("| `{}` | {} | {} | {} |\n", row.name, row.what, row.why, row.by());
        }
        page
    }
}

const HEAD: &str = "\
# Mutation controls

Made by `vitrine-qemu controls --table docs/controls.md`; do not edit.

Each line is a variant of a server that logs on purpose (`qemu/controls/NAME.toml`). Somebody has to catch it: the masks
take it out of the image, the screen refuses the build, or the behavioural proof counts what was kept. A control that is
not caught fails the command. \"Not tried\" is neither: nobody should rely on it. What the watch catches is driven by a
saboteur in the running server, see [watch.md](watch.md).

What is only screened is named `dev-control-NAME`, so that every verifier refuses it. What is proven is checked and ordered
like any server, so it has a usual name; it is signed with keys that are made for the run and deleted with it. The proof
counts as a judge only where the same server without a mistake is found clean in the same run.

| control | what is changed | why it matters | caught by |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: Vec<Verdict>) -> Report {
        let layers = verdicts.into_iter().map(|verdict| Outcome::new(Layer::Screen, verdict)).collect();
        Report { controls: vec![Row { name: "n".into(), what: "a".into(), why: "b".into(), layers }] }
    }

    #[test]
    fn exit_codes() {
        let (caught, missed, not) =
            (Verdict::Caught(vec!["r".into()]), Verdict::Missed("x".into()), Verdict::NotTried("y".into()));
        assert_eq!(report(vec![caught.clone()]).exit_code(false), 0);
        assert_eq!(report(vec![caught.clone(), missed.clone()]).exit_code(true), 1);
        assert_eq!(report(vec![missed, not.clone()]).exit_code(false), 1);
        assert_eq!(report(vec![caught.clone(), not.clone()]).exit_code(false), 2);
        assert_eq!(report(vec![caught, not.clone()]).exit_code(true), 0);
        assert!(report(vec![not]).text().starts_with("not tried: n\n"));
    }
}
