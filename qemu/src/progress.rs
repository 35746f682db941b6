//! Something that moves while we wait; nothing at all where stderr is not a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A line with a spinner and the seconds since it began. Dropping it removes the line.
pub struct Waiting(ProgressBar);

impl Waiting {
    pub fn begin(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Prints without the line in between.
    pub fn aside(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
