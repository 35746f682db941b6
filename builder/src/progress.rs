//! What is going on, for the person waiting: on standard error only, bars on a terminal, plain lines elsewhere.

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// Nothing, for tests and `--quiet`.
    Nothing,
}

/// Shared by all steps of a command; may be used from several threads.
#[derive(Debug)]
pub struct Progress {
    bars: MultiProgress,
    lines: bool,
    quiet: bool,
    notes: Mutex<Vec<String>>,
}

impl Progress {
    pub fn new(shown: Shown) -> Self {
        let quiet = shown == Shown::Nothing;
        let terminal = !quiet && std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            bars: MultiProgress::with_draw_target(target),
            lines: !quiet && !terminal,
            quiet,
            notes: Mutex::default(),
        }
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Self::new(Shown::Nothing)
    }

    /// A step begins: `read release file of trixie`.
    pub fn step(&self, text: &str) {
        self.print(text);
    }

    /// Something worth knowing that stops nothing.
    pub fn note(&self, text: &str) {
        self.print(&format!("note: {text}"));
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(text.to_string());
        }
    }

    /// All notes so far.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }

    /// A count of bytes up to `total`. The bar goes away when it is dropped; elsewhere one line says what came.
    pub fn bytes(&self, what: &str, total: u64) -> Bar {
        let style = ProgressStyle::with_template("{msg:32!} {bar:24} {bytes:>10}/{total_bytes:<10} {bytes_per_sec}");
        let bar = ProgressBar::new(total).with_message(what.to_string());
        let bar = self.bars.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        if self.lines {
            self.print(&format!("{what}: {}", HumanBytes(total)));
        }
        Bar { bar }
    }

    fn print(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.lines {
            eprintln!("{text}");
        } else {
            // the bars make room for the line; failing to write to a closed terminal stops nothing
            let _ = self.bars.println(text);
        }
    }
}

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// Adds bytes.
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
    /// Takes bytes back: a download begins again.
    pub fn take_back(&self, bytes: u64) {
        self.bar.dec(bytes);
    }
    /// Done: the bar goes away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_keeps_notes() {
        let progress = Progress::hidden();
        progress.step("one");
        progress.note("two");
        let bar = progress.bytes("three", 10);
        bar.add(3);
        bar.take_back(3);
        bar.finish();
        assert_eq!(progress.notes(), ["two"]);
    }
}
