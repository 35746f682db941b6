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

impl Date {
    /// The day, in UTC, of a number of seconds since 1970. None after the year 9999, whose text would be longer.
    pub fn of_seconds(seconds: u64) -> Option<Self> {
        // the inverse of [`days`]: eras of 400 years have 146,097 days
        let shifted = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        (year <= 9999).then(|| Self(format!("{year:04}-{month:02}-{day:02}")))
    }
}

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
    use super::{days, Date};

    /// Values from `date -u -d @…`, and each day there and back.
    #[test]
    fn of_seconds() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_799, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(Date::of_seconds(seconds).unwrap().to_string(), day);
        }
        assert_eq!(Date::of_seconds(253_402_300_800), None);
        for day in (0..2_900_000).step_by(997) {
            let date = Date::of_seconds(day * 86_400 + 86_399).unwrap().to_string();
            let number = |range: std::ops::Range<usize>| date[range].parse::<u64>().unwrap();
            assert_eq!(days(number(0..4), number(5..7), number(8..10)), Some(day), "{date}");
            assert!(date.parse::<Date>().is_ok());
        }
    }

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
