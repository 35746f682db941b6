//! The time stamp of a signed variable update: EFI_TIME (UEFI 2.10 §8.3), UTC.
//!
//! Firmware compares it with that of the update before and refuses what is not later (§8.2.2); it never compares it with a
//! clock. So a fixed one does for a first enrolment, and the same input gives the same bytes.

use vitrine_attest::calendar::{days, Date};
use vitrine_attest::{Error, Result};

const DAY: u64 = 86_400;
/// UTCTime and GeneralizedTime (X.680 §46, §47).
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// 9999-12-31T23:59:59Z: EFI_TIME knows no later year. Room is left for the steps of a rotation.
const LATEST: u64 = 253_402_300_799 - 60;

/// Seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// `2026-11-23` or `2026-11-23T12:00:00Z`.
    ///
    /// # Errors
    /// When it is neither, or before 1970.
    pub fn parse(text: &str) -> Result<Self> {
        let (date, clock) = match text.split_once('T') {
            Some((date, clock)) => (date, clock.strip_suffix('Z').unwrap_or("")),
            None => (text, "00:00:00"),
        };
        let parsed = date.parse::<Date>().ok().and_then(|_| Self::of_digits(&date.replace('-', ""), clock));
        parsed.ok_or_else(|| {
            Error::input(
                format!("\"{}\" is no time", text.escape_debug()),
                "write --time like 2026-11-23 or 2026-11-23T12:00:00Z",
            )
        })
    }

    /// Of a certificate's `Time` (RFC 5280 §4.1.2.5): tag and contents.
    ///
    /// # Errors
    /// When it has another form than RFC 5280 asks for.
    pub fn of_certificate((tag, content): (u8, &[u8])) -> Result<Self> {
        let text = std::str::from_utf8(content).unwrap_or_default();
        let text = match tag {
            // RFC 5280: years from 50 on are of the last century
            UTC_TIME if text.len() == 13 && text.is_ascii() => {
                format!("{}{text}", if text < "50" { "20" } else { "19" })
            }
            GENERALIZED_TIME if text.len() == 15 && text.is_ascii() => text.to_owned(),
            _ => String::new(),
        };
        let found = (text.len() == 15 && text.ends_with('Z')).then(|| {
            let clock = format!("{}:{}:{}", &text[8..10], &text[10..12], &text[12..14]);
            Self::of_digits(&text[..8], &clock)
        });
        found.flatten().ok_or_else(|| {
            Error::input(
                "the certificate's begin of validity cannot be read",
                "give the time stamp with --time 2026-11-23",
            )
        })
    }

    /// `20261123` and `12:00:00`.
    fn of_digits(date: &str, clock: &str) -> Option<Self> {
        let number = |text: &str, most: u64| {
            let digits = text.bytes().all(|c| c.is_ascii_digit());
            text.parse().ok().filter(|n| digits && *n <= most)
        };
        let date =
            format!("{}-{}-{}", date.get(..4)?, date.get(4..6)?, date.get(6..8)?).parse::<Date>().ok()?.to_string();
        let day = days(number(&date[..4], 9999)?, number(&date[5..7], 12)?, number(&date[8..], 31)?)?;
        let parts: Vec<&str> = clock.split(':').collect();
        let [hour, minute, second] = parts[..] else { return None };
        if parts.iter().any(|part| part.len() != 2) {
            return None;
        }
        let seconds = number(hour, 23)? * 3600 + number(minute, 59)? * 60 + number(second, 59)?;
        Some(Self(day * DAY + seconds)).filter(|time| time.0 <= LATEST)
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0 + seconds)
    }

    /// Year, month, day: the inverse of [`days`].
    fn date(self) -> (u64, u64, u64) {
        let shifted = self.0 / DAY + 719_468; // days since 0000-03-01
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
    }

    fn clock(self) -> (u64, u64, u64) {
        let second = self.0 % DAY;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// EFI_TIME as §8.2.2 wants it: `year[2] month day hour minute second`, and nine bytes of zeros (pad, nanosecond,
    /// time zone, daylight, pad).
    pub fn efi(self) -> [u8; 16] {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        let mut out = [0; 16];
        out[..2].copy_from_slice(&(year as u16).to_le_bytes());
        out[2..7].copy_from_slice(&[month, day, hour, minute, second].map(|n| n as u8));
        out
    }
}

/// `2026-11-23T12:00:00Z`
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2000-02-29T23:59:59Z",
            "2025-01-01T00:00:00Z",
            "2100-03-01T01:02:03Z",
            "9999-12-31T00:00:00Z",
        ] {
            assert_eq!(Time::parse(text).unwrap().to_string(), text);
        }
        let mut time = Time::parse("2023-12-30").unwrap();
        for _ in 0..800 {
            assert_eq!(Time::parse(&time.to_string()).unwrap(), time);
            time = time.plus(DAY);
        }
        assert_eq!(Time::parse("2026-12-31T23:59:59Z").unwrap().plus(1).to_string(), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn efi_form() {
        let time = Time::parse("2026-11-23T12:34:56Z").unwrap();
        assert_eq!(time.efi(), [0xea, 7, 11, 23, 12, 34, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn begin_of_validity() {
        for (tag, content, expected) in [
            (UTC_TIME, "250101000000Z", "2025-01-01T00:00:00Z"),
            (UTC_TIME, "991231235959Z", "1999-12-31T23:59:59Z"),
            (GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z"),
        ] {
            assert_eq!(Time::of_certificate((tag, content.as_bytes())).unwrap().to_string(), expected);
        }
        for (tag, content) in [
            (UTC_TIME, "2501010000Z"),
            (GENERALIZED_TIME, "250101000000Z"),
            (UTC_TIME, "251301000000Z"),
            (4, "250101000000Z"),
        ] {
            assert!(Time::of_certificate((tag, content.as_bytes())).is_err(), "{content}");
        }
        assert!(Time::of_certificate((UTC_TIME, "25010100000\u{e9}".as_bytes())).is_err());
    }

    #[test]
    fn refused_texts() {
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-11-23T",
            "2026-11-23T12:00:00",
            "2026-11-23T24:00:00Z",
            "2026-11-23T1:00:00Z",
            "2026-11-23T12:00Z",
            "2026-11-23T+1:00:00Z",
            "1969-12-31",
            "9999-12-31T23:59:59Z",
            "2026-11-23 12:00:00",
        ] {
            let error = Time::parse(text).unwrap_err();
            assert!(error.hint.contains("--time"), "{text}: {error}");
        }
    }
}
