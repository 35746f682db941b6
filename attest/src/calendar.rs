//! The Gregorian calendar, without a time zone database.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Days from 1970-01-01 to a day; none before that day. Month and day begin with 1, and are not checked.
pub fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // years that begin in March, so that leap days come last
    let (shifted, years) = if month > 2 { (month - 3, year) } else { (month + 9, year.checked_sub(1)?) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * shifted + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

/// A day as RFC 3339 writes it (`full-date`): `2026-11-22`. Their order is that of their text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(String);

impl FromStr for Date {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{}\" is no date such as 2026-11-22", text.escape_debug());
        let bytes = text.as_bytes();
        let dashes = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        if !dashes || !(0..10).all(|at| at == 4 || at == 7 || bytes[at].is_ascii_digit()) {
            return Err(refused());
        }
        let number = |digits: &[u8]| digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        let (year, month, day) = (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..]));
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let first = (1..=12).contains(&month).then(|| days(year, month, 1)).flatten();
        let length = first.zip(days(next_year, next_month, 1)).map(|(this, next)| next - this);
        match length {
            Some(length) if (1..=length).contains(&day) => Ok(Self(text.into())),
            _ => Err(refused()),
        }
    }
}

impl TryFrom<String> for Date {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> String {
        date.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn dates() {
        for good in ["1970-01-01", "2024-02-29", "2000-02-29", "2026-11-30", "9999-12-31"] {
            assert_eq!(good.parse::<Date>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "2026-11-31",
            "2026-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "1969-12-31",
            "2026-1-01",
            "2026-01-01Z",
            "+026-01-01",
            "2026/01/01",
            "２026-01-01",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad} was taken");
        }
        assert!("2026-11-22".parse::<Date>().unwrap() < "2026-12-01".parse().unwrap());
    }
}
