//! The table: a row for each condition, with what it was here and there, and what came of it.

use crate::whole::target;
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Widest first column, and widest of the two after it.
const WIDTHS: [usize; 2] = [44, 36];

/// What came of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This many files, with which the rest is compared.
    Made(usize),
    /// This many files, byte by byte.
    Alike(usize),
    /// The first stage, by `vitrine diff`; or the first file where that sees none.
    Different(String),
    /// A control: it differs where it has to.
    Noticed(String),
    NotTried(String),
    /// The build itself failed, or a control was not noticed.
    Failed(String),
}

#[derive(Debug)]
struct Row {
    name: String,
    first: String,
    second: String,
    outcome: Outcome,
    took: Duration,
}

#[derive(Debug)]
pub struct Report {
    name: &'static str,
    rows: Vec<Row>,
    since: Instant,
}

impl Report {
    pub fn new(name: &'static str) -> Self {
        tell(&format!("{}\n", line("condition", "first", "second", "result")));
        Self { name, rows: vec![], since: Instant::now() }
    }

    /// Tells the row at once: a compilation takes long.
    pub fn add(&mut self, name: &str, first: &str, second: &str, outcome: Outcome) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        let row = Row { name: name.into(), first: first.into(), second: second.into(), outcome, took };
        tell(&format!("{}\n", row.text()));
        self.rows.push(row);
    }

    /// Leaves text and JSON below the target folder, and panics when a row says that something differs or failed; when `all`
    /// have to be tried, also for one that was not.
    pub fn judge(self, all: bool) {
        let count = |wanted: fn(&Outcome) -> bool| self.rows.iter().filter(|row| wanted(&row.outcome)).count();
        let alike = count(|o| matches!(o, Outcome::Alike(_)));
        let noticed = count(|o| matches!(o, Outcome::Noticed(_)));
        let untried = count(|o| matches!(o, Outcome::NotTried(_)));
        let wrong = count(|o| matches!(o, Outcome::Different(_) | Outcome::Failed(_)));
        let sum =
            format!("{alike} alike, {wrong} different or failed, {untried} not tried; {noticed} controls noticed");
        self.leave(&sum);
        assert_eq!(wrong, 0, "{sum}");
        assert!(alike > 0 && noticed > 0, "{sum}");
        assert!(!all || untried == 0, "CI has to be able to try everything: {sum}");
    }

    fn leave(&self, sum: &str) {
        let folder = target().join("reproduce");
        fs::create_dir_all(&folder).unwrap();
        let mut text = line("condition", "first", "second", "result") + "\n";
        self.rows.iter().for_each(|row| writeln!(text, "{}", row.text()).unwrap());
        fs::write(folder.join(format!("{}.txt", self.name)), text + sum + "\n").unwrap();
        let rows: Vec<_> = self.rows.iter().map(Row::json).collect();
        let place = folder.join(format!("{}.json", self.name));
        fs::write(&place, serde_json::to_vec_pretty(&json!({ "rows": rows, "sum": sum })).unwrap()).unwrap();
        tell(&format!("{sum}\nwritten to {} and .txt\n", place.display()));
    }
}

impl Row {
    fn text(&self) -> String {
        let (word, detail) = self.outcome.words();
        line(&self.name, &self.first, &self.second, &format!("{word}{detail} ({:.0} s)", self.took.as_secs_f64()))
    }

    fn json(&self) -> serde_json::Value {
        let (result, detail) = self.outcome.words();
        json!({
            "condition": self.name, "first": self.first, "second": self.second,
            "result": result, "detail": detail.trim_start_matches([':', ' ']), "seconds": self.took.as_secs(),
        })
    }
}

impl Outcome {
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Made(files) => ("made", format!(": {files} files")),
            Self::Alike(files) => ("alike", format!(": {files} files")),
            Self::Different(what) => ("different", format!(": {what}")),
            Self::Noticed(what) => ("noticed", format!(": {what}")),
            Self::NotTried(why) => ("not tried", format!(": {}", why.replace('\n', "; "))),
            Self::Failed(why) => ("failed", format!(": {}", why.replace('\n', "; "))),
        }
    }
}

fn line(name: &str, first: &str, second: &str, result: &str) -> String {
    let [wide, narrow] = WIDTHS;
    format!("{name:wide$} {:narrow$} {:narrow$} {result}", short(first), short(second))
}

/// Long values by their ends.
fn short(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= WIDTHS[1] {
        return text.into();
    }
    let end = format!("… ({})", letters.len());
    letters[..WIDTHS[1] - end.chars().count()].iter().collect::<String>() + &end
}

/// Past the test harness, which keeps what passing tests print to itself.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
