//! The Gregorian calendar, without a time zone database.

/// Days from 1970-01-01 to a day; none before that day. Month and day begin with 1, and are not checked.
pub fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // years that begin in March, so that leap days come last
    let (shifted, years) = if month > 2 { (month - 3, year) } else { (month + 9, year.checked_sub(1)?) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * shifted + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}
