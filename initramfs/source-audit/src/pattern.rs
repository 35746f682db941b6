//! Patterns for names in code: `*` stands for any text. Names hold no path parts, so there is one kind of star.

use serde::Deserialize;

/// `logging.getLogger().*`. An empty pair of parentheses stands for a call with any argument.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Pattern(String);

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self(text.replace("()", "(*)"))
    }
}

impl Pattern {
    /// Whether the whole text matches. Takes time proportional to pattern × text at worst, and no memory.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // where to go on after a mismatch: behind the last star, one byte further
        let mut again: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    again = Some((p + 1, t));
                    p += 1;
                }
                Some(byte) if *byte == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((star, from)) = again else { return false };
                    again = Some((star, from + 1));
                    p = star;
                    t = from + 1;
                }
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_twins() {
        for (pattern, good, bad) in [
            ("print", "print", "printer"),
            ("logging.getLogger().info", "logging.getLogger(\"a\").info", "logging.getLogger.info"),
            ("*.log", "self.log", "log"),
            ("a*b*c", "a1b2c", "a1c2"),
            ("*aab", "aaab", "aaba"),
            ("", "", "x"),
        ] {
            let pattern = Pattern::from(pattern.to_string());
            assert!(pattern.matches(good), "{pattern:?} {good}");
            assert!(!pattern.matches(bad), "{pattern:?} {bad}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        assert!(!Pattern::from("*a".repeat(40)).matches(&"ab".repeat(2000)));
    }
}
