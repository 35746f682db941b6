//! A source tree against the rules.

use crate::fact::{Fact, Kind};
use crate::judge;
use crate::language::{self, Language, Sort};
use crate::manifest;
use crate::parse::{self, Trouble};
use crate::report::{Audit, Found, NotJudged};
use crate::rules::{Rule, Rules};
use crate::walk::{self, Found as Entry};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::{apply_waivers, Finding};

/// Bytes of one file: generated code has up to a few MiB in a line; a parser needs about thirty times as much memory.
const FILE_BYTES: u64 = 4 << 20;
/// Bytes that tell what a file without an extension is.
const HEAD_BYTES: usize = 256;
/// Findings that are listed, and paths that are not judged: a report that nobody could read is no answer.
const LISTED: usize = 20_000;
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

/// What to audit, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub waivers: Vec<Waiver>,
    /// Languages that are not judged on purpose.
    pub without: BTreeSet<String>,
}

/// Audits a folder, or one file.
///
/// # Errors
/// When there is nothing at that path, or a language in `without` is none that would be listed.
pub fn audit(root: &Path, options: &Options, rules: &Rules) -> Result<Audit> {
    root.metadata().map_err(|e| {
        Error::input(format!("{}: {}", root.display(), e.kind()), "give --source a folder of source code")
    })?;
    if let Some(unknown) = options.without.iter().find(|name| !language::others().any(|other| other == *name)) {
        let known: Vec<&str> = language::others().chain(["script"]).collect();
        return Err(Error::input(
            format!("--without {unknown}: no such language"),
            format!("known: {}", known.join(" ")),
        ));
    }
    let mut run = Run::new(root, options, rules);
    walk::walk(root, &mut |entry| match entry {
        Entry::File(path) => run.file(&path),
        Entry::Not(path, why) => run.not(&path, why),
    });
    Ok(run.finish())
}

/// Audits one file that is in memory.
pub fn audit_bytes(name: &str, bytes: &[u8], rules: &Rules) -> Audit {
    let options = Options::default();
    let mut run = Run::new(Path::new(""), &options, rules);
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    run.judge(Path::new(name), language::sort(name, head), bytes);
    run.finish()
}

/// Findings that stand only while nothing in the tree switches the thing off.
struct Pending {
    rule: usize,
    found: Found,
}

struct Run<'a> {
    root: &'a Path,
    options: &'a Options,
    rules: &'a Rules,
    /// Positions of the rules for each language.
    by_language: BTreeMap<Language, Vec<usize>>,
    /// Positions of the rules that can be switched off: by a script, too.
    switched: Vec<usize>,
    /// Those that are.
    off: BTreeSet<usize>,
    pending: Vec<Pending>,
    audit: Audit,
}

impl<'a> Run<'a> {
    fn new(root: &'a Path, options: &'a Options, rules: &'a Rules) -> Self {
        let languages = [Language::Go, Language::JavaScript, Language::Python, Language::Rust, Language::Shell];
        let of = |language| {
            let concerned = rules.rules.iter().enumerate().filter(|(_, rule)| judge::concerns(rule, language));
            (language, concerned.map(|(at, _)| at).collect())
        };
        let audit = Audit {
            policy: rules.sha256,
            without: options.without.iter().cloned().collect(),
            files: BTreeMap::new(),
            data: 0,
            findings: Vec::new(),
            not_judged: Vec::new(),
        };
        let by_language = languages.map(of).into_iter().collect();
        let with_switch = rules.rules.iter().enumerate().filter(|(_, rule)| !rule.unless.is_empty());
        let switched = with_switch.map(|(at, _)| at).collect();
        Self { root, options, rules, by_language, switched, off: BTreeSet::new(), pending: Vec::new(), audit }
    }

    fn name(&self, path: &Path) -> String {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        let shown =
            if inside.as_os_str().is_empty() { path.file_name().map(Path::new).unwrap_or(path) } else { inside };
        // names may hold anything, line ends included
        shown.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }

    fn not(&mut self, path: &Path, why: String) {
        if self.audit.not_judged.len() < LISTED {
            let path = self.name(path);
            self.audit.not_judged.push(NotJudged { path, why });
        }
    }

    fn file(&mut self, path: &Path) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let read = File::open(path).and_then(|mut file| {
            let head = head(&mut file)?;
            let sort = language::sort(&name, &head);
            let wanted = matches!(sort, Sort::Code(..) | Sort::Manifest(_));
            Ok((sort, if wanted { rest(head, file)? } else { Vec::new() }))
        });
        let (sort, bytes) = match read {
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                return self.not(path, format!("has more than {} MiB", FILE_BYTES >> 20));
            }
            Err(e) => return self.not(path, format!("cannot be read: {}", e.kind())),
        };
        self.judge(path, sort, &bytes);
    }

    fn judge(&mut self, path: &Path, sort: Sort, bytes: &[u8]) {
        match sort {
            Sort::Data => self.audit.data += 1,
            Sort::Other(language) if self.options.without.contains(language) => self.audit.data += 1,
            Sort::Other(language) => self.not(path, format!("{language}, which the audit cannot read")),
            Sort::Code(..) | Sort::Manifest(_) => match std::str::from_utf8(bytes) {
                Ok(text) => self.text(path, sort, text),
                Err(_) => self.not(path, "is no UTF-8".into()),
            },
        }
    }

    fn text(&mut self, path: &Path, sort: Sort, text: &str) {
        let place =
            Place { path: self.name(path), sha256: Sha256::of(text.as_bytes()), counts: !elsewhere(self.root, path) };
        let (counted, result) = match sort {
            Sort::Code(language, dialect) => {
                (language.name(), parse::read(language, dialect, text, &mut |fact| self.fact(language, &place, &fact)))
            }
            Sort::Manifest(form) => {
                ("manifest", manifest::read(form, text, &mut |language, fact| self.fact(language, &place, &fact)))
            }
            Sort::Other(_) | Sort::Data => return,
        };
        *self.audit.files.entry(counted).or_default() += 1;
        match result {
            Ok(()) => {}
            Err(Trouble::Line(line)) => self.not(path, format!("line {line} cannot be parsed; the rest was judged")),
            Err(Trouble::Work) => {
                self.not(path, "takes too much work to judge: nested or generated beyond measure".into())
            }
        }
    }

    fn fact(&mut self, language: Language, place: &Place, fact: &Fact) {
        let rules = self.rules;
        let Some(concerned) = self.by_language.get(&language) else { return };
        let hits: Vec<(usize, String)> =
            concerned.iter().filter_map(|&at| Some((at, judge::hit(&rules.rules[at], fact)?))).collect();
        for &at in self.switched.iter().filter(|_| place.counts) {
            if rules.rules[at].unless.iter().any(|switch| judge::switches(switch, fact)) {
                self.off.insert(at);
            }
        }
        for (at, what) in hits {
            let found = found(&rules.rules[at], place, fact, what);
            match rules.rules[at].unless.is_empty() {
                true => self.keep(found),
                false => self.pending.push(Pending { rule: at, found }),
            }
        }
        // a list of those is bounded like the list of findings
        self.pending.truncate(LISTED);
    }

    fn keep(&mut self, found: Found) {
        let same = |other: &Found| {
            let (a, b) = (&found.finding, &other.finding);
            a.rule == b.rule && a.path == b.path && a.line == b.line
        };
        // facts come in the order of the text: a twin stands close by
        if self.audit.findings.len() < LISTED && !self.audit.findings.iter().rev().take(8).any(same) {
            self.audit.findings.push(found);
        }
    }

    fn finish(mut self) -> Audit {
        for Pending { rule, found } in std::mem::take(&mut self.pending) {
            if !self.off.contains(&rule) {
                self.keep(found);
            }
        }
        if self.audit.findings.len() == LISTED {
            self.not(self.root, format!("has more than {LISTED} findings, the rest is not listed"));
        }
        apply_waivers(&mut self.audit.findings, &self.options.waivers);
        self.audit.findings.sort_by(|a, b| key(a).cmp(&key(b)));
        self.audit.not_judged.sort();
        self.audit
    }
}

/// The file that a fact is in.
struct Place {
    path: String,
    sha256: Sha256,
    /// What is switched off here is switched off in the program.
    counts: bool,
}

fn key(found: &Found) -> (&str, Option<u32>, &str, &str) {
    let Finding { path, line, rule, what, .. } = &found.finding;
    (path, *line, rule, what)
}

fn found(rule: &Rule, place: &Place, fact: &Fact, what: String) -> Found {
    let line = (fact.kind != Kind::Dependency || fact.line > 0).then_some(fact.line);
    let finding = Finding { line, sha256: Some(place.sha256), ..Finding::new(rule.words(), &place.path, what) };
    Found { level: rule.level, finding }
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
