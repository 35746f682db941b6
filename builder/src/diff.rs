//! Which stage is the first in which two builds differ, and in what.
//!
//! Signatures are not compared: who signed is not part of what was built.

use crate::out;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::expected::Prediction;
use vitrine_attest::pe::Pe;
use vitrine_attest::{Error, Result};

/// Largest file that is compared, in bytes.
const FILE_LIMIT: u64 = 2 << 30;
/// Most lines of detail.
const DETAIL_LIMIT: usize = 20;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Comparison {
    Alike { compared: Vec<String> },
    Different(Difference),
}

/// The first stage that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Number of the step, as in the file's name.
    pub stage: u8,
    pub file: String,
    /// What differs, a line each: `only in A: /usr/bin/x`, `.initrd: 12 345 bytes, 12 346 bytes`.
    pub details: Vec<String>,
}

/// How a file is compared and explained.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// TOML, JSON: the first line that differs.
    Text,
    /// `3-tree.txt`: by path.
    Tree,
    /// By section.
    Image,
    /// By the first byte.
    Bytes,
    /// By platform, as far as both have it.
    Prediction,
    /// The payload, not the signatures.
    Envelope,
}

const STAGES: [(u8, &str, Kind); 10] = [
    (1, out::RECIPE, Kind::Text),
    (2, out::LOCK, Kind::Text),
    (2, out::APP_AUDIT, Kind::Text),
    (3, out::TREE, Kind::Tree),
    (4, out::SCREEN, Kind::Text),
    (5, out::INITRAMFS_ZSTD, Kind::Bytes),
    (5, out::INITRAMFS_GZIP, Kind::Bytes),
    (6, out::UNSIGNED, Kind::Image),
    (8, out::PCRS, Kind::Prediction),
    (9, out::STATEMENT, Kind::Envelope),
];

/// Compares two output folders, or two images.
///
/// # Errors
/// When a path cannot be read, is of another kind than the other, or holds nothing to compare.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison> {
    match (a.is_dir(), b.is_dir()) {
        (true, true) => folders(a, b),
        (false, false) => {
            let details = explain(Kind::Image, &out::read(a, FILE_LIMIT)?, &out::read(b, FILE_LIMIT)?)?;
            let compared = vec!["image".to_string()];
            Ok(match details.is_empty() {
                true => Comparison::Alike { compared },
                false => Comparison::Different(Difference { stage: 6, file: "image".into(), details }),
            })
        }
        _ => Err(Error::input("one is a folder, the other a file", "give two output folders, or two images")),
    }
}

fn folders(a: &Path, b: &Path) -> Result<Comparison> {
    let mut compared = Vec::new();
    for (stage, file, kind) in STAGES {
        let (left, right) = (a.join(file), b.join(file));
        let details = match (left.exists(), right.exists()) {
            (false, false) => continue,
            // an unsigned build has no statement
            (false, _) | (_, false) if stage == 9 => continue,
            (false, true) => vec![format!("missing in {}", a.display())],
            (true, false) => vec![format!("missing in {}", b.display())],
            (true, true) => explain(kind, &out::read(&left, FILE_LIMIT)?, &out::read(&right, FILE_LIMIT)?)
                .map_err(|e| e.within(file))?,
        };
        if !details.is_empty() {
            return Ok(Comparison::Different(Difference { stage, file: file.into(), details }));
        }
        compared.push(file.to_string());
    }
    if compared.is_empty() {
        return Err(Error::input(
            "neither folder holds a file of a build",
            "give the folders of `vitrine build --out`",
        ));
    }
    Ok(Comparison::Alike { compared })
}

/// What differs; empty when nothing that counts does.
fn explain(kind: Kind, a: &[u8], b: &[u8]) -> Result<Vec<String>> {
    if a == b {
        return Ok(vec![]);
    }
    let mut details = match kind {
        Kind::Text => text(a, b),
        Kind::Tree => tree(a, b),
        Kind::Image => image(a, b)?,
        Kind::Bytes => vec![first_byte(a, b)],
        Kind::Prediction => prediction(a, b)?,
        Kind::Envelope => envelope(a, b)?,
    };
    if details.len() > DETAIL_LIMIT {
        let more = details.len() - DETAIL_LIMIT;
        details.truncate(DETAIL_LIMIT);
        details.push(format!("and {more} more"));
    }
    Ok(details)
}

fn text(a: &[u8], b: &[u8]) -> Vec<String> {
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (mut left, mut right) = (a.lines(), b.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (x, y) if x == y => {}
            (x, y) => {
                let shown = |line: Option<&str>| line.map_or("(end)".to_string(), |l| l.trim().to_string());
                return vec![format!("line {number}"), format!("A: {}", shown(x)), format!("B: {}", shown(y))];
            }
        }
    }
    vec!["line ends".into()]
}

/// Lines of a listing by path: the eighth field on, after the quoted origin.
fn by_path(listing: &str) -> BTreeMap<&str, &str> {
    listing.lines().map(|line| (line.rsplit_once("\" ").map_or(line, |(_, path)| path), line)).collect()
}

fn tree(a: &[u8], b: &[u8]) -> Vec<String> {
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (a, b) = (by_path(&a), by_path(&b));
    let paths: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let mut details = Vec::new();
    for path in paths {
        match (a.get(*path), b.get(*path)) {
            (Some(_), None) => details.push(format!("only in A: {path}")),
            (None, Some(_)) => details.push(format!("only in B: {path}")),
            (Some(x), Some(y)) if x != y => details.extend([format!("A: {x}"), format!("B: {y}")]),
            _ => {}
        }
    }
    details
}

fn image(a: &[u8], b: &[u8]) -> Result<Vec<String>> {
    let (left, right) = (Pe::parse(a)?, Pe::parse(b)?);
    if left.authenticode() == right.authenticode() {
        return Ok(vec![]); // another signature, or none
    }
    let names: BTreeSet<_> = left.sections().iter().chain(right.sections()).map(|s| s.name.as_str()).collect();
    let mut details = Vec::new();
    for name in names {
        let contents = |pe: &Pe<'_>| -> Result<Option<Vec<u8>>> {
            pe.section(name).map(|s| pe.contents(s).map(<[u8]>::to_vec)).transpose()
        };
        match (contents(&left)?, contents(&right)?) {
            (Some(x), Some(y)) if x != y => {
                let lengths = format!("{name}: {} bytes in A, {} bytes in B", x.len(), y.len());
                details.push(format!("{lengths}, {}", first_byte(&x, &y)));
            }
            (Some(_), None) => details.push(format!("section {name} only in A")),
            (None, Some(_)) => details.push(format!("section {name} only in B")),
            _ => {}
        }
    }
    if details.is_empty() {
        details.push(format!("headers: {}", first_byte(a, b)));
    }
    Ok(details)
}

fn first_byte(a: &[u8], b: &[u8]) -> String {
    match a.iter().zip(b).position(|(x, y)| x != y) {
        Some(at) => format!("first difference at byte {at}"),
        None => format!("one is the beginning of the other ({} and {} bytes)", a.len(), b.len()),
    }
}

fn prediction(a: &[u8], b: &[u8]) -> Result<Vec<String>> {
    let read = |bytes: &[u8]| -> Result<Prediction> {
        serde_json::from_slice(bytes).map_err(|e| Error::input(e.to_string(), "build it again with `vitrine build`"))
    };
    let (mut a, mut b) = (read(a)?, read(b)?);
    let common: Vec<_> = a.platforms.keys().filter(|p| b.platforms.contains_key(p)).copied().collect();
    a.platforms.retain(|platform, _| common.contains(platform));
    b.platforms.retain(|platform, _| common.contains(platform));
    if a == b {
        return Ok(vec![]);
    }
    Ok(text(&crate::steps::prediction_json(&a)?, &crate::steps::prediction_json(&b)?))
}

fn envelope(a: &[u8], b: &[u8]) -> Result<Vec<String>> {
    let payload = |bytes: &[u8]| -> Result<Vec<u8>> {
        let envelope = Envelope::from_json(bytes)?;
        let value: serde_json::Value = serde_json::from_slice(&envelope.payload)
            .map_err(|e| Error::input(format!("payload: {e}"), "build it again with `vitrine build`"))?;
        serde_json::to_vec_pretty(&value).map_err(|e| Error::bug(e.to_string()))
    };
    let (a, b) = (payload(a)?, payload(b)?);
    Ok(if a == b { vec![] } else { text(&a, &b) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticode::attach::attach;
    use crate::uki::tests::sample;
    use std::fs;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    fn first(a: &[(&str, &[u8])], b: &[(&str, &[u8])]) -> Difference {
        match compare(folder(a).path(), folder(b).path()).unwrap() {
            Comparison::Different(difference) => difference,
            alike => panic!("{alike:?}"),
        }
    }

    #[test]
    fn the_first_stage_is_named() {
        let a = [(out::RECIPE, &b"x\ny\n"[..]), (out::TREE, b"1 \"o\" /a\n"), (out::UNSIGNED, b"1")];
        let b = [(out::RECIPE, &b"x\nz\n"[..]), (out::TREE, b"1 \"o\" /a\n"), (out::UNSIGNED, b"2")];
        let difference = first(&a, &b);
        assert_eq!((difference.stage, difference.file.as_str()), (1, out::RECIPE));
        assert_eq!(difference.details, ["line 2", "A: y", "B: z"]);
    }

    #[test]
    fn trees_differ_by_path() {
        let a = [(out::TREE, &b"1 \"o p\" /a\n1 \"o p\" /b -> c\n"[..])];
        let b = [(out::TREE, &b"2 \"o p\" /a\n1 \"o p\" /c\n"[..])];
        let details = first(&a, &b).details;
        assert_eq!(details, ["A: 1 \"o p\" /a", "B: 2 \"o p\" /a", "only in A: /b -> c", "only in B: /c"]);
    }

    #[test]
    fn signatures_do_not_count_and_sections_do() {
        let signed = attach(sample(), b"signature").unwrap();
        let alike = compare(folder(&[(out::UNSIGNED, &signed)]).path(), folder(&[(out::UNSIGNED, &sample())]).path());
        assert_eq!(alike.unwrap(), Comparison::Alike { compared: vec![out::UNSIGNED.into()] });
        let mut changed = sample();
        let at = changed.windows(6).position(|w| w == b"070701").unwrap();
        changed[at] = b'1';
        let details = first(&[(out::UNSIGNED, &sample())], &[(out::UNSIGNED, &changed)]).details;
        assert_eq!(details, [".initrd: 6 bytes in A, 6 bytes in B, first difference at byte 0"]);
    }

    #[test]
    fn missing_files() {
        let difference = first(&[(out::RECIPE, b"x")], &[(out::TREE, b"x")]);
        assert!(difference.details[0].starts_with("missing in"));
        assert!(compare(folder(&[]).path(), folder(&[]).path()).is_err());
        assert!(compare(folder(&[]).path(), Path::new("/dev/null")).is_err());
    }
}
