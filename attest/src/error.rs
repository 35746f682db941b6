//! Two-line errors: what happened, then what to do about it.

use std::fmt;

/// Who has to act. It decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The operator's input is wrong: recipe, lock, flag, file.
    Input,
    /// The host lacks something: a tool, firmware, network, disk space.
    Host,
    /// An artefact is wrong, and that may be an attack: altered package, statement, evidence.
    Artefact,
    /// Our own bug.
    Bug,
}

/// A failure that a person can act on.
///
/// Printed as two lines, the second one only where there is something to do:
/// ```text
/// package wireguard-tools_1.0_amd64.deb differs from the lock: expected ab…, got cd…
/// run `vitrine lock recipes/exit.toml` if the change is meant
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub blame: Blame,
    pub what: String,
    pub hint: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(blame: Blame, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { blame, what: what.into(), hint: hint.into() }
    }
    pub fn input(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Input, what, hint)
    }
    pub fn host(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Host, what, hint)
    }
    pub fn artefact(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Blame::Artefact, what, hint)
    }
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Blame::Bug, what, "this is a defect in Vitrine: please report it with the command that led here")
    }

    /// Exit code: 1 when an artefact is refused, 2 when nothing could be judged.
    pub fn exit_code(&self) -> u8 {
        match self.blame {
            Blame::Artefact => 1,
            Blame::Input | Blame::Host | Blame::Bug => 2,
        }
    }

    /// Says in which file or step it happened: `{context}: {what}`.
    #[must_use]
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.what = format!("{context}: {}", self.what);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "\n{}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
