//! Dates of release files: `Sat, 12 Sep 2026 07:55:41 UTC`.

use std::time::{SystemTime, UNIX_EPOCH};
use vitrine_attest::calendar::days;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970, UTC.
pub fn parse_date(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "UTC" | "GMT" | "+0000" | "Z"] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let number = |text: &str, low: u64, high: u64| text.parse::<u64>().ok().filter(|n| (low..=high).contains(n));
    let (day, year) = (number(day, 1, 31)?, number(year, 1970, 9999)?);
    let parts: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = parts[..] else { return None };
    let (hour, minute, second) = (number(hour, 0, 23)?, number(minute, 0, 59)?, number(second, 0, 60)?);
    Some(days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second)
}

/// `20260912T075541Z`: how dated copies of an archive name their folders.
pub fn stamp(seconds: u64) -> String {
    let (day, time) = (seconds / 86_400, seconds % 86_400);
    let first = |year, month| days(year, month, 1).unwrap_or(0);
    // never too late: a year has at most 366 days
    let mut year = 1970 + day / 366;
    while first(year + 1, 1) <= day {
        year += 1;
    }
    let month = (2..=12).rev().find(|&month| first(year, month) <= day).unwrap_or(1);
    let day = day - first(year, month) + 1;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from `date -u -d … +%s`.
    #[test]
    fn known_dates() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0),
            ("Tue, 29 Feb 2000 12:00:00 UTC", 951_825_600),
            ("Sat, 12 Sep 2026 07:55:41 UTC", 1_789_199_741),
            ("Sun, 01 Mar 2100 00:00:00 UTC", 4_107_542_400),
        ] {
            assert_eq!(parse_date(text), Some(seconds), "{text}");
        }
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_825_600, "20000229T120000Z"),
            (1_789_199_741, "20260912T075541Z"),
            (1_798_761_599, "20261231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
        for bad in
            ["", "Sat, 12 Sep 2026", "Sat, 32 Sep 2026 07:55:41 UTC", "Sat, 12 Sep 2026 07:55:41 CET", "a b c d e UTC"]
        {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }
}
