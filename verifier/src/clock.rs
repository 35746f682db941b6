//! The clock, and days from seconds without a time zone database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vitrine_attest::calendar::days;
use vitrine_attest::{Error, Result};

/// Time since 1970.
///
/// # Errors
/// When the clock stands before that.
pub fn now() -> Result<Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::host("this computer's clock stands before 1970", "set the clock"))
}

/// The date in UTC, `2025-11-20`, of a number of seconds since 1970 (proleptic Gregorian calendar).
pub fn date(seconds: u64) -> String {
    // days since 0000-03-01, so that leap days come last in a year; eras of 400 years have 146,097 days
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2025-11-20T00:53:20Z` (RFC 3339).
pub fn timestamp(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    format!("{}T{:02}:{:02}:{:02}Z", date(seconds), of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Days since 1970 of a date as [`date`] writes it; none for what is no such date.
pub fn day_of(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day)?;
    (date(days * 86_400) == text).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::{date, day_of, timestamp};

    #[test]
    fn time_of_day() {
        assert_eq!(timestamp(1_763_600_000), "2025-11-20T00:53:20Z");
        assert_eq!(timestamp(86_399), "1970-01-01T23:59:59Z");
    }

    /// Values from `date -u -d @…`.
    #[test]
    fn known_days() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_763_600_000, "2025-11-20"),
            (1_767_225_599, "2025-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), day);
            assert_eq!(day_of(day), Some(seconds / 86_400));
        }
    }

    #[test]
    fn days_that_are_none() {
        for bad in ["", "2027", "2027-02-29", "2027-13-01", "2027-00-01", "2027-1-01", "2027-01-32", "x", "-1-1-1"] {
            assert_eq!(day_of(bad), None, "{bad} was taken");
        }
        for days in (0..2_000_000).step_by(1_997) {
            assert_eq!(day_of(&date(days * 86_400)), Some(days));
        }
    }
}
