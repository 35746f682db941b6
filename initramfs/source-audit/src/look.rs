//! One entry of a source tree against the rules.

use crate::audit::Options;
use crate::fact::{Fact, Kind};
use crate::judge;
use crate::language::{self, Language, Sort, HEAD_BYTES};
use crate::manifest;
use crate::parse::{self, Trouble};
use crate::report::{Found, NotJudged};
use crate::rules::{Rule, Rules};
use crate::walk::Found as Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use vitrine_attest::Sha256;
use vitrine_initramfs::Finding;

/// Bytes of one file: generated code has up to a few MiB in a line; a parser needs about thirty times as much memory.
const FILE_BYTES: u64 = 4 << 20;
/// Findings that are listed, and paths that are not judged: a report that nobody could read is no answer.
pub const LISTED: usize = 20_000;
/// Folders of other people's code, and of tests: what is switched off there is not switched off in the program.
const ELSEWHERE: &[&str] = &[
    "node_modules",
    "vendor",
    ".venv",
    "venv",
    "site-packages",
    "dist-packages",
    "third_party",
    "test",
    "tests",
    "__tests__",
    "testdata",
    "spec",
    "examples",
    "example",
    "docs",
];

/// Everything files are judged by: the same for all threads.
pub struct Judge<'a> {
    pub root: &'a Path,
    pub options: &'a Options,
    pub rules: &'a Rules,
    /// Positions of the rules that a fact of this kind can hit, for each language.
    concerned: BTreeMap<(Language, Kind), Vec<usize>>,
    /// Positions of the rules that such a fact can switch off: of a script, too.
    switched: BTreeMap<Kind, Vec<usize>>,
}

impl<'a> Judge<'a> {
    pub fn new(root: &'a Path, options: &'a Options, rules: &'a Rules) -> Self {
        let places = |fits: &dyn Fn(&Rule) -> bool| -> Vec<usize> {
            rules.rules.iter().enumerate().filter(|(_, rule)| fits(rule)).map(|(at, _)| at).collect()
        };
        let (mut concerned, mut switched) = (BTreeMap::new(), BTreeMap::new());
        for kind in Kind::ALL {
            for language in Language::ALL {
                let fits = |rule: &Rule| judge::concerns(rule, language) && judge::looks_at(rule, kind);
                concerned.insert((language, kind), places(&fits));
            }
            switched.insert(
                kind,
                places(&|rule| rule.unless.iter().any(|switch| judge::switch_of(switch, kind).is_some())),
            );
        }
        Self { root, options, rules, concerned, switched }
    }

    pub fn entry(&self, entry: &Entry) -> Seen {
        match entry {
            Entry::File(path) => self.read(path),
            Entry::Not(path, why) => self.not(path, why.clone()),
        }
    }

    fn name(&self, path: &Path) -> String {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        let shown =
            if inside.as_os_str().is_empty() { path.file_name().map(Path::new).unwrap_or(path) } else { inside };
        // names may hold anything, line ends included
        shown.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }

    pub fn not(&self, path: &Path, why: String) -> Seen {
        Seen { not: Some(NotJudged { path: self.name(path), why }), ..Seen::default() }
    }

    fn read(&self, path: &Path) -> Seen {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let read = File::open(path).and_then(|mut file| {
            let head = head(&mut file)?;
            let sort = language::sort(&name, &head);
            let wanted = matches!(sort, Sort::Code(..) | Sort::Manifest(_));
            Ok((sort, if wanted { rest(head, file)? } else { Vec::new() }))
        });
        match read {
            Ok((sort, bytes)) => self.file(path, sort, &bytes),
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => self.not(path, too_large()),
            Err(e) => self.not(path, format!("cannot be read: {}", e.kind())),
        }
    }

    /// A file that is in memory, by the limits of one that is read.
    pub fn bytes(&self, path: &Path, bytes: &[u8]) -> Seen {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let sort = language::sort(&name, &bytes[..bytes.len().min(HEAD_BYTES)]);
        match matches!(sort, Sort::Code(..) | Sort::Manifest(_)) && bytes.len() as u64 > FILE_BYTES {
            true => self.not(path, too_large()),
            false => self.file(path, sort, bytes),
        }
    }

    pub fn file(&self, path: &Path, sort: Sort, bytes: &[u8]) -> Seen {
        match sort {
            Sort::Data => Seen { data: 1, ..Seen::default() },
            Sort::Other(language) if self.options.without.contains(language) => Seen { data: 1, ..Seen::default() },
            Sort::Other(language) => self.not(path, format!("{language}, which the audit cannot read")),
            Sort::Code(..) | Sort::Manifest(_) => match std::str::from_utf8(bytes) {
                Ok(text) => self.text(path, sort, text),
                Err(_) => self.not(path, "is no UTF-8".into()),
            },
        }
    }

    fn text(&self, path: &Path, sort: Sort, text: &str) -> Seen {
        let place =
            Place { path: self.name(path), sha256: Sha256::of(text.as_bytes()), counts: !elsewhere(self.root, path) };
        let mut seen = Seen::default();
        let (counted, result) = match sort {
            Sort::Code(language, dialect) => {
                let mut sink = |fact: Fact| self.fact(language, &place, &fact, &mut seen);
                (language.name(), parse::read(language, dialect, text, &mut sink))
            }
            Sort::Manifest(form) => {
                let mut sink = |language: Language, fact: Fact| self.fact(language, &place, &fact, &mut seen);
                ("manifest", manifest::read(form, text, &mut sink))
            }
            Sort::Other(_) | Sort::Data => return seen,
        };
        seen.counted = Some(counted);
        let why = match result {
            Ok(()) => return seen,
            Err(Trouble::Line(line)) => format!("line {line} cannot be parsed; the rest was judged"),
            Err(Trouble::Work) => "takes too much work to judge: nested or generated beyond measure".into(),
        };
        seen.not = Some(NotJudged { path: place.path, why });
        seen
    }

    fn fact(&self, language: Language, place: &Place, fact: &Fact, seen: &mut Seen) {
        let rules = &self.rules.rules;
        let (Some(concerned), Some(switched)) =
            (self.concerned.get(&(language, fact.kind)), self.switched.get(&fact.kind))
        else {
            return;
        };
        for &at in switched.iter().filter(|_| place.counts) {
            if rules[at].unless.iter().any(|switch| judge::switches(switch, fact)) {
                seen.off.insert(at);
            }
        }
        for &at in concerned {
            let Some(what) = judge::hit(&rules[at], fact) else { continue };
            let found = found(&rules[at], place, fact, what);
            match rules[at].unless.is_empty() {
                true => keep(&mut seen.findings, found),
                // a list of those is bounded like the list of findings
                false if seen.pending.len() < LISTED => seen.pending.push(Pending { rule: at, found }),
                false => {}
            }
        }
    }
}

/// A finding that stands only while nothing in the tree switches the thing off.
pub struct Pending {
    pub rule: usize,
    pub found: Found,
}

/// What one entry of the tree gave.
#[derive(Default)]
pub struct Seen {
    /// As what it was judged.
    pub counted: Option<&'static str>,
    /// Whether it is data: 1.
    pub data: u64,
    pub findings: Vec<Found>,
    pub pending: Vec<Pending>,
    /// Rules that are switched off here.
    pub off: BTreeSet<usize>,
    pub not: Option<NotJudged>,
}

/// Puts a finding on a list that is bounded, once for each rule and line.
pub fn keep(findings: &mut Vec<Found>, found: Found) {
    let same = |other: &Found| {
        let (a, b) = (&found.finding, &other.finding);
        a.rule == b.rule && a.path == b.path && a.line == b.line
    };
    // facts come in the order of the text: a twin stands close by
    if findings.len() < LISTED && !findings.iter().rev().take(8).any(same) {
        findings.push(found);
    }
}

/// The file that a fact is in.
struct Place {
    path: String,
    sha256: Sha256,
    /// What is switched off here is switched off in the program.
    counts: bool,
}

fn found(rule: &Rule, place: &Place, fact: &Fact, what: String) -> Found {
    let line = (fact.kind != Kind::Dependency || fact.line > 0).then_some(fact.line);
    let finding = Finding { line, sha256: Some(place.sha256), ..Finding::new(rule.words(), &place.path, what) };
    Found { level: rule.level, finding }
}

fn too_large() -> String {
    format!("has more than {} MiB", FILE_BYTES >> 20)
}

fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn rest(mut bytes: Vec<u8>, file: File) -> io::Result<Vec<u8>> {
    file.take(FILE_BYTES + 1 - bytes.len() as u64).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

fn elsewhere(root: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.iter().any(|part| ELSEWHERE.iter().any(|name| part == *name))
}
