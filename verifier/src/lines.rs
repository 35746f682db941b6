//! Mistakes in files that people write, each with its line.

use serde::de::DeserializeOwned;
use serde::Deserialize;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

/// Problems that are shown; the rest is counted.
const SHOWN: usize = 20;

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub line: usize,
    pub text: String,
}

/// Where each line begins, in bytes.
pub struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// Number of the line with this byte, from 1.
    pub fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    pub fn problem(&self, span: Range<usize>, text: impl Into<String>) -> Problem {
        Problem { line: self.at(span.start), text: text.into() }
    }

    /// Of TOML itself, the first error is all there is.
    pub fn toml(&self, error: &toml::de::Error) -> Problem {
        self.problem(error.span().unwrap_or(0..0), error.message().replace('\n', " "))
    }
}

/// TOML of a form of this version. The version comes before all else: another one has other fields.
///
/// # Errors
/// Of TOML itself and of unknown fields, the first.
pub fn toml<T: DeserializeOwned>(text: &str, known: i64) -> std::result::Result<(Lines, T), Vec<Problem>> {
    #[derive(Deserialize)]
    struct Version {
        version: Spanned<i64>,
    }
    let lines = Lines::of(text);
    let Version { version } = toml::from_str(text).map_err(|e| vec![lines.toml(&e)])?;
    if *version.get_ref() != known {
        let words = format!("version {} of the form is unknown; this program knows {known}", version.get_ref());
        return Err(vec![lines.problem(version.span(), words)]);
    }
    let form = toml::from_str(text).map_err(|e| vec![lines.toml(&e)])?;
    Ok((lines, form))
}

/// The file as text.
///
/// # Errors
/// When it is not UTF-8.
pub fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str> {
    std::str::from_utf8(bytes)
        .map_err(|_| Error::input(format!("{} is not UTF-8", path.display()), "write the file as UTF-8 text"))
}

/// All problems of one file as one error, in the order of lines.
pub fn error(path: &Path, mut problems: Vec<Problem>, hint: &str) -> Error {
    problems.sort();
    let several = if problems.len() == 1 { "" } else { "s" };
    let mut what = format!("{}: {} problem{several}", path.display(), problems.len());
    for Problem { line, text } in problems.iter().take(SHOWN) {
        let _ = write!(what, "\n  line {line}: {}", printable(text));
    }
    if problems.len() > SHOWN {
        let _ = write!(what, "\n  and {} more", problems.len() - SHOWN);
    }
    Error::input(what, hint)
}
