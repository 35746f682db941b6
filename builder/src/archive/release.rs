//! Release files: which indices belong to a suite, by hash, under one signature (Debian wiki, "DebianRepository/Format").

use super::date::parse_date;
use super::keyring::{Keyring, CLOCK_SKEW};
use pgp::composed::CleartextSignedMessage;
use std::collections::BTreeMap;
use vitrine_attest::{Error, Result, Sha256};

/// Bytes of an `InRelease` file; Debian 13's has 140 KiB.
pub const RELEASE_LIMIT: u64 = 4 << 20;

/// A release file whose signature was checked.
#[derive(Debug, Clone)]
pub struct Release {
    /// `stable`
    pub suite: String,
    /// `trixie`
    pub codename: String,
    /// As written.
    pub date: String,
    /// Indices may be asked for by their hash, which an update of the mirror cannot change under us.
    pub by_hash: bool,
    /// SHA-256 of the whole signed file.
    pub sha256: Sha256,
    /// Fingerprint of the signing key, lower-case hex.
    pub signed_by: String,
    files: BTreeMap<String, IndexFile>,
}

/// One line of the `SHA256` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexFile {
    pub sha256: Sha256,
    pub size: u64,
}

impl Release {
    /// Checks a clear-signed release file against a keyring, at the time `now` (seconds since 1970).
    ///
    /// Only what was signed is read: text before, after or between is refused.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Artefact`] when the signature does not count or the text cannot be read;
    /// [`vitrine_attest::Blame::Host`] when it is out of date.
    pub fn open(bytes: &[u8], keyring: &Keyring, now: u64) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let (message, _) = CleartextSignedMessage::from_string(text)
            .map_err(|e| wrong(&format!("it is no clear-signed text ({e})")))?;
        let signed_by = keyring.verify(&message, now).map_err(|why| {
            let hint = "use a mirror of Debian with --mirror URL, and a current keyring with --keyring FILE";
            Error::artefact(format!("its signature does not count: {why}"), hint)
        })?;
        Self::signed_text(&message.signed_text(), Sha256::of(bytes), signed_by, now)
    }

    pub(super) fn signed_text(text: &str, sha256: Sha256, signed_by: String, now: u64) -> Result<Self> {
        let release = Self::parse(text, sha256, signed_by)?;
        release.check_dates(text, now)?;
        Ok(release)
    }

    fn parse(text: &str, sha256: Sha256, signed_by: String) -> Result<Self> {
        let field = |name: &str| field(text, name).map(str::to_string);
        let need = |name: &str| field(name).ok_or_else(|| wrong(&format!("it lacks {name}")));
        let mut files = BTreeMap::new();
        for line in block(text, "SHA256") {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [hash, size, path] = words[..] else { return Err(wrong("a line of SHA256 is malformed")) };
            let sha256 = hash.parse().map_err(|e| wrong(&format!("SHA256 of {path}: {e}")))?;
            let size = size.parse().map_err(|_| wrong(&format!("size of {path} is no number")))?;
            files.insert(path.to_string(), IndexFile { sha256, size });
        }
        Ok(Self {
            suite: field("Suite").unwrap_or_default(),
            codename: field("Codename").unwrap_or_default(),
            date: need("Date")?,
            by_hash: field("Acquire-By-Hash").as_deref() == Some("yes"),
            sha256,
            signed_by,
            files,
        })
    }

    /// `Date` is not in the future, `Valid-Until` (when there is one) not in the past.
    fn check_dates(&self, text: &str, now: u64) -> Result<()> {
        let date = parse_date(&self.date).ok_or_else(|| wrong(&format!("Date {:?} cannot be read", self.date)))?;
        if date > now + CLOCK_SKEW {
            let what = format!("it is dated in the future: {}", self.date);
            return Err(Error::host(what, "set this machine's clock"));
        }
        let Some(until) = field(text, "Valid-Until") else { return Ok(()) };
        let end = parse_date(until).ok_or_else(|| wrong(&format!("Valid-Until {until:?} cannot be read")))?;
        if end < now {
            let hint = "use a mirror that is up to date with --mirror URL, or check this machine's clock";
            return Err(Error::host(format!("it was valid until {until}"), hint));
        }
        Ok(())
    }

    /// Whether this is the suite that was asked for, by either of its names.
    pub fn check_suite(&self, asked: &str) -> Result<()> {
        if asked == self.suite || asked == self.codename {
            return Ok(());
        }
        let what = format!("it is for {} ({}), asked for was {asked}", self.codename, self.suite);
        Err(wrong(&what))
    }

    /// The entry of an index, such as `main/binary-amd64/Packages.xz`.
    pub fn file(&self, path: &str) -> Option<IndexFile> {
        self.files.get(path).copied()
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter(|line| !line.starts_with(' '));
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The indented lines below `name:`.
fn block<'a>(text: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    let head = move |line: &&str| line.strip_prefix(name).is_none_or(|rest| rest.trim_end() != ":");
    text.lines().skip_while(head).skip(1).take_while(|line| line.starts_with(' '))
}

fn wrong(why: &str) -> Error {
    Error::artefact(why, "try another mirror with --mirror URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Origin: X\nSuite: stable\nCodename: trixie\nDate: Sat, 12 Sep 2026 07:55:41 UTC\n\
        Acquire-By-Hash: yes\nMD5Sum:\n 00 1 main/a\nSHA256:\n \
        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3 main/a\n";

    fn parse(text: &str) -> Result<Release> {
        Release::parse(text, Sha256::ZERO, "ab".into())
    }

    #[test]
    fn fields_and_files() {
        let release = parse(TEXT).unwrap();
        assert!(release.by_hash && release.check_suite("trixie").is_ok() && release.check_suite("stable").is_ok());
        assert!(release.check_suite("sid").unwrap_err().what.contains("trixie"));
        assert_eq!(release.file("main/a"), Some(IndexFile { sha256: Sha256::of(b"abc"), size: 3 }));
        assert_eq!(release.file("main/b"), None);
    }

    #[test]
    fn refusals() {
        for (from, to) in
            [("Date:", "Dat:"), ("SHA256:\n ba", "SHA256:\n zz"), (" 3 main/a", " x main/a"), (" 3 main/a", " 3")]
        {
            assert!(parse(&TEXT.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn dates() {
        let release = parse(TEXT).unwrap();
        let made = 1_789_199_741;
        assert!(release.check_dates(TEXT, made).is_ok());
        assert!(release.check_dates(TEXT, made - 2 * CLOCK_SKEW).unwrap_err().what.contains("future"));
        let limited = format!("Valid-Until: Sat, 19 Sep 2026 07:55:41 UTC\n{TEXT}");
        assert!(release.check_dates(&limited, made + 6 * 86_400).is_ok());
        assert!(release.check_dates(&limited, made + 8 * 86_400).unwrap_err().what.contains("valid until"));
    }
}
