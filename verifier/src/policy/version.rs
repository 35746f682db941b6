//! Versions of images that can be compared: numbers with dots.

use std::fmt;
use std::str::FromStr;

/// Most numbers in a version.
const PARTS_LIMIT: usize = 8;

/// `1.10.2`. Compared number by number; `1.2` is less than `1.2.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dotted(Vec<u64>);

impl FromStr for Dotted {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        };
        let parts: Option<Vec<u64>> = text.split('.').take(PARTS_LIMIT + 1).map(number).collect();
        parts
            .filter(|parts| parts.len() <= PARTS_LIMIT)
            .map(Self)
            .ok_or_else(|| "this is no version of numbers with dots, such as 1.2.0".into())
    }
}

impl fmt::Display for Dotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::Dotted;

    #[test]
    fn order() {
        let rising = ["0", "0.9", "0.10", "1", "1.0", "1.2", "1.2.0", "1.10", "2", "18446744073709551615"];
        for pair in rising.windows(2) {
            assert!(pair[0].parse::<Dotted>().unwrap() < pair[1].parse().unwrap(), "{pair:?}");
            assert_eq!(pair[0].parse::<Dotted>().unwrap().to_string(), pair[0]);
        }
    }

    #[test]
    fn no_versions() {
        let long = "1.".repeat(8) + "1";
        for bad in ["", ".", "1.", ".1", "1..2", "v1", "1.2-rc1", "+1", "-1", "1 ", "18446744073709551616", &long] {
            assert!(bad.parse::<Dotted>().is_err(), "{bad} was taken");
        }
    }
}
