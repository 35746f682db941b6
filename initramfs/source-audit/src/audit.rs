//! A source tree against the rules.

use crate::language::{self, Sort, HEAD_BYTES};
use crate::look::{keep, Judge, Pending, Seen, LISTED};
use crate::pool;
use crate::report::{Audit, Found, NotJudged};
use crate::rules::Rules;
use crate::walk;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{apply_waivers, Finding};

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
    check_without(options)?;
    let judge = Judge::new(root, options, rules);
    let mut entries = Vec::new();
    walk::walk(root, &mut |entry| entries.push(entry));
    let mut run = Run::new(&judge);
    pool::in_order(&entries, |entry| judge.entry(entry), |seen| run.add(seen));
    Ok(run.finish())
}

/// Audits files that are in memory, by their paths below the folder: `lib/a.py`. The same report as [`audit`] gives for a folder that
/// holds them.
///
/// # Errors
/// When a language in `without` is none that would be listed.
pub fn audit_files(files: &BTreeMap<String, Vec<u8>>, options: &Options, rules: &Rules) -> Result<Audit> {
    check_without(options)?;
    let judge = Judge::new(Path::new(""), options, rules);
    let mut run = Run::new(&judge);
    let entries: Vec<(&String, &Vec<u8>)> = files.iter().collect();
    pool::in_order(&entries, |(path, bytes)| judge.bytes(Path::new(path), bytes), |seen| run.add(seen));
    Ok(run.finish())
}

/// Whether the audit takes a file for code, or for data that it does not look at.
pub fn is_code(path: &str, bytes: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(language::sort(name, &bytes[..bytes.len().min(HEAD_BYTES)]), Sort::Code(..))
}

fn check_without(options: &Options) -> Result<()> {
    if let Some(unknown) = options.without.iter().find(|name| !language::others().any(|other| other == *name)) {
        let known: Vec<&str> = language::others().chain(["script"]).collect();
        return Err(Error::input(
            format!("--without {unknown}: no such language"),
            format!("known: {}", known.join(" ")),
        ));
    }
    Ok(())
}

/// Audits one file that is in memory.
pub fn audit_bytes(name: &str, bytes: &[u8], rules: &Rules) -> Audit {
    let options = Options::default();
    let judge = Judge::new(Path::new(""), &options, rules);
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let mut run = Run::new(&judge);
    run.add(judge.file(Path::new(name), language::sort(name, head), bytes));
    run.finish()
}

/// The tree, put together in the order of its entries.
struct Run<'a> {
    judge: &'a Judge<'a>,
    off: BTreeSet<usize>,
    pending: Vec<Pending>,
    audit: Audit,
}

impl<'a> Run<'a> {
    fn new(judge: &'a Judge<'a>) -> Self {
        let audit = Audit {
            policy: judge.rules.sha256,
            without: judge.options.without.iter().cloned().collect(),
            files: BTreeMap::new(),
            data: 0,
            findings: Vec::new(),
            not_judged: Vec::new(),
        };
        Self { judge, off: BTreeSet::new(), pending: Vec::new(), audit }
    }

    fn add(&mut self, seen: Seen) {
        if let Some(counted) = seen.counted {
            *self.audit.files.entry(counted).or_default() += 1;
        }
        self.audit.data += seen.data;
        self.off.extend(seen.off);
        seen.findings.into_iter().for_each(|found| keep(&mut self.audit.findings, found));
        self.pending.extend(seen.pending);
        self.pending.truncate(LISTED);
        self.not(seen.not);
    }

    fn not(&mut self, not: Option<NotJudged>) {
        if self.audit.not_judged.len() < LISTED {
            self.audit.not_judged.extend(not);
        }
    }

    fn finish(mut self) -> Audit {
        for Pending { rule, found } in std::mem::take(&mut self.pending) {
            if !self.off.contains(&rule) {
                keep(&mut self.audit.findings, found);
            }
        }
        if self.audit.findings.len() == LISTED {
            let why = format!("has more than {LISTED} findings, the rest is not listed");
            self.not(self.judge.not(self.judge.root, why).not);
        }
        apply_waivers(&mut self.audit.findings, &self.judge.options.waivers);
        self.audit.findings.sort_by(|a, b| key(a).cmp(&key(b)));
        self.audit.not_judged.sort();
        self.audit
    }
}

fn key(found: &Found) -> (&str, Option<u32>, &str, &str) {
    let Finding { path, line, rule, what, .. } = &found.finding;
    (path, *line, rule, what)
}
