//! Debian version numbers and their order (Debian Policy §5.6.12).

use std::cmp::Ordering;
use std::fmt;

/// Characters of a version; Debian's longest have about sixty.
const LENGTH_LIMIT: usize = 256;

/// `[epoch:]upstream[-revision]`, such as `1:2.41-12+deb13u1`.
///
/// Equal in order does not mean equal in text: `1.0` and `1.00` compare as the same version.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    text: &'a str,
    epoch: u32,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    /// Nothing when the text is no version.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => {
                let digits = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
                (epoch.parse().ok().filter(|_| digits)?, rest)
            }
            None => (0, text),
        };
        // the revision is what stands behind the last hyphen; without one it is equal to "0"
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        let plain = |b: u8, more: &[u8]| b.is_ascii_alphanumeric() || more.contains(&b);
        let ok = text.len() <= LENGTH_LIMIT
            && upstream.starts_with(|c: char| c.is_ascii_alphanumeric())
            && upstream.bytes().all(|b| plain(b, b".+-~:"))
            && revision.bytes().all(|b| plain(b, b"+.~"))
            && !rest.ends_with('-');
        ok.then_some(Self { text, epoch, upstream, revision })
    }

    pub fn as_str(&self) -> &'a str {
        self.text
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(self.upstream.as_bytes(), other.upstream.as_bytes()))
            .then_with(|| compare(self.revision.as_bytes(), other.revision.as_bytes()))
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version<'_> {}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Alternating runs: what is not a digit by [`weight`], then digits by value.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (words_a, words_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let length = words_a.len().max(words_b.len());
        let by_weight = (0..length).map(|i| weight(words_a.get(i)).cmp(&weight(words_b.get(i))));
        let (digits_a, digits_b) = (take(&mut a, |c| c.is_ascii_digit()), take(&mut b, |c| c.is_ascii_digit()));
        let (digits_a, digits_b) = (without_zeros(digits_a), without_zeros(digits_b));
        let by_value = digits_a.len().cmp(&digits_b.len()).then_with(|| digits_a.cmp(digits_b));
        let order = by_weight.fold(Ordering::Equal, Ordering::then).then(by_value);
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

fn take<'a>(rest: &mut &'a [u8], belongs: impl Fn(&u8) -> bool) -> &'a [u8] {
    let length = rest.iter().take_while(|&c| belongs(c)).count();
    let (run, tail) = rest.split_at(length);
    *rest = tail;
    run
}

/// A tilde sorts before the end of a part, letters before everything that is no letter.
fn weight(c: Option<&u8>) -> i32 {
    match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&c| c == b'0').count();
    &digits[zeros..]
}

/// `<<`, `<=`, `=`, `>=`, `>>` (Debian Policy §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Earlier,
    EarlierEqual,
    Equal,
    LaterEqual,
    Later,
}

impl Relation {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<<" => Self::Earlier,
            "<=" | "<" => Self::EarlierEqual,
            "=" => Self::Equal,
            ">=" | ">" => Self::LaterEqual,
            ">>" => Self::Later,
            _ => return None,
        })
    }

    /// Whether `have` stands in this relation to `wanted`.
    pub fn holds(self, have: Version<'_>, wanted: Version<'_>) -> bool {
        let order = have.cmp(&wanted);
        match self {
            Self::Earlier => order.is_lt(),
            Self::EarlierEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::LaterEqual => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version<'_> {
        Version::parse(text).unwrap_or_else(|| panic!("{text:?} is a version"))
    }

    /// In rising order, as dpkg 1.21 compares them.
    const RISING: &[&str] = &[
        "1~~",
        "1~~a",
        "1~",
        "1",
        "1-0.1",
        "1-1~deb12u1",
        "1-1",
        "1-1+b1",
        "1-1+deb13u1",
        "1a",
        "1a.b",
        "1+b1",
        "1.0~beta1~svc1",
        "1.0~beta1",
        "1.0",
        "1.0.1",
        "1.2",
        "1.10",
        "1.10a",
        "2",
        "2b",
        "10",
        "0:11",
        "1:0.1",
        "1:1",
        "2:0",
    ];

    #[test]
    fn rising() {
        for (i, a) in RISING.iter().enumerate() {
            for (j, b) in RISING.iter().enumerate() {
                assert_eq!(v(a).cmp(&v(b)), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn equal_under_different_spellings() {
        for (a, b) in [("1", "0:1"), ("1.0", "1.00"), ("1", "1-0"), ("007", "7"), ("1-0", "1-00"), ("a", "a0")] {
            assert_eq!(v(a), v(b), "{a} and {b}");
        }
        assert_ne!(v("1.0"), v("1"));
    }

    #[test]
    fn not_versions() {
        for bad in ["", ":1", "a:1", "-1:1", "+1:1", "1-", "-1", "1 2", "1_2", "~1", "1-2_3", "é", "99999999999:1"] {
            assert!(Version::parse(bad).is_none(), "{bad:?} was taken");
        }
        assert!(Version::parse(&"1".repeat(300)).is_none());
        assert_eq!(v("1:2:3-4-5").revision, "5");
    }

    #[test]
    fn relations() {
        for (have, relation, wanted, holds) in [
            ("2", ">=", "2", true),
            ("2", ">>", "2", false),
            ("2", "<<", "3", true),
            ("2", "<=", "1", false),
            ("2", "=", "2-0", true),
            ("2", ">", "2", true),
            ("2", "<", "2", true),
        ] {
            assert_eq!(
                Relation::parse(relation).unwrap().holds(v(have), v(wanted)),
                holds,
                "{have} {relation} {wanted}"
            );
        }
        assert!(Relation::parse("==").is_none());
    }

    /// Order is total: antisymmetric and transitive over made-up versions.
    #[test]
    fn order_is_total() {
        let mut state = 7u64;
        let mut made = Vec::new();
        while made.len() < 60 {
            let text: String = (0..6)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    b"0019a~+.-"[(state >> 33) as usize % 9] as char
                })
                .collect();
            if Version::parse(&text).is_some() {
                made.push(text);
            }
        }
        for a in &made {
            for b in &made {
                assert_eq!(v(a).cmp(&v(b)), v(b).cmp(&v(a)).reverse());
                for c in &made {
                    if v(a) <= v(b) && v(b) <= v(c) {
                        assert!(v(a) <= v(c), "{a} {b} {c}");
                    }
                }
            }
        }
    }
}
