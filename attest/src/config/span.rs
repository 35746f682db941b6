//! A length of time, written as people write it: `90s`, `5m`, `12h`, `30d`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Whole seconds. One length has one spelling: the largest unit that divides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

/// Largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// Ten years, in seconds: everything longer is a mistake.
const LONGEST: u64 = 3650 * 86_400;

impl Span {
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }
    pub const fn as_seconds(self) -> u64 {
        self.0
    }
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no length of time: write it like 90s, 5m, 12h or 30d");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let (_, size) = UNITS.into_iter().find(|(letter, _)| *letter == unit).ok_or_else(wrong)?;
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
            return Err(wrong());
        }
        let seconds = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(size));
        seconds.filter(|seconds| *seconds <= LONGEST).map(Self).ok_or_else(|| format!("\"{text}\" is over ten years"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, size) =
            UNITS.into_iter().find(|(_, size)| self.0.is_multiple_of(*size) && self.0 >= *size).unwrap_or(('s', 1));
        write!(f, "{}{letter}", self.0 / size)
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_length_has_one_spelling() {
        for (text, spelt) in [("90s", "90s"), ("120s", "2m"), ("60m", "1h"), ("48h", "2d"), ("0s", "0s"), ("1d", "1d")]
        {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), spelt);
        }
        assert_eq!("2h".parse::<Span>().unwrap().as_seconds(), 7200);
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in ["", "s", "5", "5w", "-5s", "+5s", "5 s", "1.5h", "99999999999999999999d", "3651d", "5é"] {
            assert!(bad.parse::<Span>().is_err(), "{bad} was taken");
        }
    }
}
