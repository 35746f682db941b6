//! What the demo tells, step by step, with times.

use super::super::print;
use serde_json::{json, Value};
use std::time::Instant;
use vitrine_attest::{Error, Result};

/// For people on stdout as it happens; with `--json` on stderr, and one JSON value on stdout at the end.
pub struct Story {
    begin: Instant,
    json: bool,
    steps: Vec<Step>,
}

struct Step {
    title: String,
    at: f64,
    lines: Vec<String>,
}

impl Story {
    pub fn begin(json: bool) -> Self {
        Self { begin: Instant::now(), json, steps: Vec::new() }
    }

    /// Begins a step.
    pub fn step(&mut self, title: &str) -> Result<()> {
        let at = self.seconds();
        self.show(&format!("\n[{at:6.1} s] {}. {title}\n", self.steps.len() + 1))?;
        self.steps.push(Step { title: title.into(), at, lines: Vec::new() });
        Ok(())
    }

    /// Something that happened in this step; each line is indented.
    pub fn tell(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            self.show(&if line.is_empty() { "\n".into() } else { format!("           {line}\n") })?;
        }
        if let Some(step) = self.steps.last_mut() {
            step.lines.push(text.trim_end().into());
        }
        Ok(())
    }

    /// The last words, for stdout.
    pub fn end(&self) -> Result<String> {
        let seconds = self.seconds();
        if !self.json {
            return Ok(format!("\n[{seconds:6.1} s] Everything went as it must; nothing is left running.\n"));
        }
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| json!({ "title": step.title, "milliseconds": milliseconds(step.at), "lines": step.lines }))
            .collect();
        let value = json!({ "v": 1, "ok": true, "milliseconds": milliseconds(seconds), "steps": steps });
        serde_json::to_string(&value).map(|text| text + "\n").map_err(|e| Error::bug(e.to_string()))
    }

    fn show(&self, text: &str) -> Result<()> {
        if self.json {
            eprint!("{text}");
            return Ok(());
        }
        print(text)
    }

    fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }
}

/// Whole milliseconds: our JSON holds no fractions.
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}
