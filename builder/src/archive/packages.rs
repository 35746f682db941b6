//! Package indices: the paragraphs of `Packages` (Debian Policy §5.1, deb-control(5)).

use super::version::{Relation, Version};
use vitrine_attest::{Error, Result, Sha256};

/// Packages in one index; Debian 13 has 69 thousand.
const COUNT_LIMIT: usize = 1_000_000;
/// Alternatives in one dependency list of one package.
const DEPENDS_LIMIT: usize = 4096;

/// One package that the archive offers. Borrows from the index text.
#[derive(Debug, Clone)]
pub struct Package<'a> {
    pub name: &'a str,
    pub version: Version<'a>,
    pub architecture: &'a str,
    /// `Pre-Depends`, then `Depends`, as written.
    pub depends: [&'a str; 2],
    pub provides: &'a str,
    /// Path below the archive's folder.
    pub file: &'a str,
    pub size: u64,
    pub sha256: Sha256,
}

/// Reads an index. Fields that a lock does not need are skipped.
///
/// # Errors
/// [`vitrine_attest::Blame::Artefact`], with the line: not UTF-8, a malformed line, a missing or impossible field.
pub fn parse_packages(text: &[u8]) -> Result<Vec<Package<'_>>> {
    let text = std::str::from_utf8(text).map_err(|_| wrong("package index is not UTF-8"))?;
    let mut packages = Vec::new();
    let mut fields = Fields::default();
    for (number, line) in text.split('\n').enumerate() {
        if line.trim().is_empty() {
            if !fields.is_empty() {
                packages.push(fields.take(number)?);
            }
            if packages.len() > COUNT_LIMIT {
                return Err(wrong("package index has more packages than any archive"));
            }
        } else if !line.starts_with([' ', '\t']) {
            let (key, value) = line
                .split_once(':')
                .ok_or_else(|| wrong(&format!("package index, line {}: no field name", number + 1)))?;
            fields.set(key, value.trim());
        } else if fields.continues {
            // none of the fields we read may be folded in an index
            return Err(wrong(&format!("package index, line {}: continuation of a simple field", number + 1)));
        }
    }
    if !fields.is_empty() {
        packages.push(fields.take(text.lines().count())?);
    }
    Ok(packages)
}

#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a str>; 9],
    /// The last field was one of ours.
    continues: bool,
}

const NAMES: [&str; 9] =
    ["Package", "Version", "Architecture", "Filename", "Size", "SHA256", "Pre-Depends", "Depends", "Provides"];

impl<'a> Fields<'a> {
    fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    fn set(&mut self, key: &str, value: &'a str) {
        let index = NAMES.iter().position(|name| name.eq_ignore_ascii_case(key));
        self.continues = index.is_some();
        if let Some(index) = index {
            self.values[index] = Some(value);
        }
    }

    fn take(&mut self, line: usize) -> Result<Package<'a>> {
        let values = std::mem::take(self).values;
        let name = values[0].unwrap_or("without name");
        let need = |index: usize| {
            let value = values[index].filter(|value| !value.is_empty());
            value.ok_or_else(|| wrong(&format!("package index, line {line}: package {name} lacks {}", NAMES[index])))
        };
        let unusable = |index: usize| {
            let value = values[index].unwrap_or("");
            wrong(&format!("package index, line {line}: package {name} has {} {value:?}", NAMES[index]))
        };
        Ok(Package {
            name: need(0)?,
            version: Version::parse(need(1)?).ok_or_else(|| unusable(1))?,
            architecture: need(2)?,
            file: need(3)?,
            size: need(4)?.parse().map_err(|_| unusable(4))?,
            sha256: need(5)?.parse().map_err(|_| unusable(5))?,
            depends: [values[6].unwrap_or(""), values[7].unwrap_or("")],
            provides: values[8].unwrap_or(""),
        })
    }
}

/// One name with an optional version: `libc6 (>= 2.38)`.
#[derive(Debug, Clone, Copy)]
pub struct Atom<'a> {
    pub name: &'a str,
    pub wanted: Option<(Relation, Version<'a>)>,
}

impl<'a> Atom<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, rest) = match text.find(['(', ' ', '\t']) {
            Some(at) => (&text[..at], text[at..].trim()),
            None => (text, ""),
        };
        // `python3:any` and `gcc:amd64` name an architecture besides; we only lock one
        let name = name.split(':').next().unwrap_or(name);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
            return None;
        }
        if rest.is_empty() {
            return Some(Self { name, wanted: None });
        }
        let inner = rest.strip_prefix('(')?.strip_suffix(')')?.trim();
        let at = inner.find(|c: char| !"<>=".contains(c))?;
        let wanted = (Relation::parse(&inner[..at])?, Version::parse(inner[at..].trim())?);
        Some(Self { name, wanted: Some(wanted) })
    }

    /// Whether a package of this version satisfies it.
    pub fn accepts(&self, version: Version<'_>) -> bool {
        self.wanted.is_none_or(|(relation, wanted)| relation.holds(version, wanted))
    }
}

/// `a (>= 1), b | c` as groups of alternatives (Debian Policy §7.1).
///
/// # Errors
/// [`vitrine_attest::Blame::Artefact`] when it cannot be read.
pub fn parse_relations<'a>(package: &str, text: &'a str) -> Result<Vec<Vec<Atom<'a>>>> {
    let mut count = 0;
    let mut groups = Vec::new();
    for group in text.split(',').map(str::trim).filter(|group| !group.is_empty()) {
        let mut atoms = Vec::new();
        for alternative in group.split('|').map(str::trim) {
            count += 1;
            let atom = Atom::parse(alternative).filter(|_| count <= DEPENDS_LIMIT);
            atoms.push(
                atom.ok_or_else(|| wrong(&format!("package {package}: dependency {alternative:?} cannot be read")))?,
            );
        }
        groups.push(atoms);
    }
    Ok(groups)
}

fn wrong(what: &str) -> Error {
    Error::artefact(what, "try another mirror with --mirror URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "Package: libc6\nArchitecture: amd64\nVersion: 2.41-12\nDepends: libgcc-s1, a:any (>> 1) | b\n\
        Provides: libc6-dev (= 1)\nDescription: x\n more\nFilename: pool/main/g/glibc/libc6.deb\nSize: 3\n\
        SHA256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

    #[test]
    fn reads_paragraphs() {
        let text = format!("{INDEX}\n\n{}", INDEX.replace("libc6\n", "other\n"));
        let packages = parse_packages(text.as_bytes()).unwrap();
        assert_eq!(packages.iter().map(|p| p.name).collect::<Vec<_>>(), ["libc6", "other"]);
        assert_eq!((packages[0].size, packages[0].sha256), (3, Sha256::of(b"abc")));
        let groups = parse_relations("libc6", packages[0].depends[1]).unwrap();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[1].iter().map(|a| a.name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!groups[1][0].accepts(Version::parse("1").unwrap()));
        assert!(groups[1][1].accepts(Version::parse("1").unwrap()));
        assert!(parse_packages(b"").unwrap().is_empty());
    }

    #[test]
    fn refusals() {
        for (from, to) in [
            ("Version: 2.41-12", "Version: x y"),
            ("Size: 3", "Size: -3"),
            ("SHA256: ba", "SHA256: zz"),
            ("Filename: ", "File: "),
            ("Package: libc6\n", "Package: libc6\n folded\n"),
            ("Description: x", "Description x"),
        ] {
            assert!(parse_packages(INDEX.replace(from, to).as_bytes()).is_err(), "{to} was taken");
        }
        assert!(parse_packages(b"\xff").is_err());
        for bad in ["a (>= )", "a (1)", "a b", "(= 1)", "a |", "a (>= 1", "é"] {
            assert!(parse_relations("x", bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn cut_anywhere_never_panics() {
        for end in 0..INDEX.len() {
            let _ = parse_packages(&INDEX.as_bytes()[..end]);
            let _ = parse_relations("x", &INDEX[..end]);
        }
    }
}
