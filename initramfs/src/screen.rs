//! Screen: looks for everything that could log, and refuses the tree when it finds something.
//!
//! It does **not** prove that the programs it lets through keep nothing: it knows names, imports, texts, modules and
//! words, not behaviour. The running image is examined by the watch and by the behavioural proof.

use crate::facts::Facts;
use crate::glob;
use crate::modinfo::normal;
use crate::path::ImagePath;
use crate::policy::{FileRule, Policy, WordRule};
use crate::report::{Finding, Report};
use crate::stage::MODULE_LIST;
use crate::tree::{Node, Tree};
use vitrine_attest::statement::Waiver;

/// Path of findings about the kernel command line; a waiver names it like a file's.
pub const CMDLINE: &str = "cmdline";

/// What surrounds the tree.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The kernel command line.
    pub cmdline: String,
    /// A development image may have a console and a shell.
    pub dev: bool,
    /// Modules that the recipe names.
    pub modules: Vec<String>,
}

/// A tree without findings, or with waived ones only. The only way to get one is [`screen`].
#[derive(Debug)]
pub struct Screened {
    tree: Tree,
}

impl Screened {
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// Applies the screen rules.
///
/// # Errors
/// The report, when a finding is not waived, or a waiver matches nothing or has no reason.
pub fn screen(
    tree: Tree,
    context: &Context,
    policy: &Policy,
    waivers: &[Waiver],
) -> Result<(Screened, Report), Report> {
    let mut findings = Vec::new();
    for (path, entry) in tree.iter().filter(|(_, entry)| entry.node != Node::Directory) {
        let facts = Facts::of(path, entry);
        findings.extend(policy.files.iter().filter_map(|rule| file_finding(rule, &facts, context.dev)));
    }
    findings.extend(policy.files.iter().flat_map(|rule| named_modules(rule, context, &tree)));
    findings.extend(policy.words.iter().flat_map(|rule| word_findings(rule, context)));
    waive(&mut findings, waivers);
    findings.sort();
    let report = Report::new(policy.sha256, &tree, context, findings);
    match report.clean() {
        true => Ok((Screened { tree }, report)),
        false => Err(report),
    }
}

fn file_finding(rule: &FileRule, facts: &Facts<'_>, dev: bool) -> Option<Finding> {
    let hits = facts.hits(rule);
    (!hits.is_empty()).then(|| Finding {
        rule: rule.id.clone(),
        path: facts.path.to_string(),
        line: None,
        what: hits.join("; "),
        sha256: facts.sha256,
        why: rule.why.clone(),
        mend: rule.mend.clone(),
        waived: (rule.dev && dev).then(|| DEV.to_string()),
    })
}

/// Modules that the recipe names and that are no file of the tree: they are built into the kernel.
fn named_modules(rule: &FileRule, context: &Context, tree: &Tree) -> Vec<Finding> {
    let file = |name: &str| {
        let is = |path: &ImagePath| path.file_name().strip_suffix(".ko").is_some_and(|stem| normal(stem) == name);
        tree.iter().any(|(path, _)| is(path))
    };
    let named = context.modules.iter().map(|name| normal(name)).filter(|name| !file(name));
    let hit = named.filter(|name| rule.modules.iter().any(|pattern| glob::matches(pattern, name)));
    hit.map(|name| finding(rule.id.clone(), MODULE_LIST, format!("module {name}"), &rule.why, &rule.mend)).collect()
}

fn finding(rule: String, path: &str, what: String, why: &str, mend: &str) -> Finding {
    Finding {
        rule,
        path: path.into(),
        line: None,
        what,
        sha256: None,
        why: why.into(),
        mend: mend.into(),
        waived: None,
    }
}

const DEV: &str = "a development image, measured and named as one";

fn word_findings(rule: &WordRule, context: &Context) -> Vec<Finding> {
    let words: Vec<&str> = context.cmdline.split_whitespace().collect();
    let mut what = Vec::new();
    for required in &rule.required {
        if !words.contains(&required.as_str()) {
            what.push(format!("lacks {required}"));
        }
        what.extend(
            words.iter().filter(|word| contradicts(required, word)).map(|word| format!("has {word}, not {required}")),
        );
    }
    let forbidden =
        |word: &str| rule.forbidden.iter().any(|pattern| glob::matches(&pattern.replace('*', "**"), &dashed(word)));
    what.extend(words.iter().filter(|word| forbidden(word)).map(|word| format!("has {word}")));
    let waived = (rule.dev && context.dev).then(|| DEV.to_string());
    what.into_iter()
        .map(|what| Finding {
            waived: waived.clone(),
            ..finding(rule.id.clone(), CMDLINE, what, &rule.why, &rule.mend)
        })
        .collect()
}

/// The kernel takes `-` and `_` in a parameter's name as the same (kernel/params.c, `parameq`), and quotes.
fn dashed(word: &str) -> String {
    let word = word.replace('"', "");
    match word.split_once('=') {
        Some((key, value)) => format!("{}={value}", key.replace('-', "_")),
        None if word == "-b" => word,
        None => word.replace('-', "_"),
    }
}

/// Same key, other value: the last one on the command line would win.
fn contradicts(required: &str, word: &str) -> bool {
    let word = dashed(word);
    let (Some((key, value)), Some((other_key, other_value))) = (required.split_once('='), word.split_once('=')) else {
        return false;
    };
    key == other_key && value != other_value
}

/// Marks waived findings, and adds one for each waiver that matches nothing or says no reason.
fn waive(findings: &mut Vec<Finding>, waivers: &[Waiver]) {
    for waiver in waivers {
        let mut used = false;
        for finding in findings.iter_mut().filter(|f| f.rule == waiver.rule && f.path == waiver.path) {
            used = true;
            if finding.waived.is_none() && !waiver.reason.trim().is_empty() {
                finding.waived = Some(waiver.reason.clone());
            }
        }
        if !used {
            let what = format!("waives {}, which was not found there", waiver.rule);
            findings.push(finding("waiver.unused".into(), &waiver.path, what, UNUSED_WHY, UNUSED_MEND));
        }
        if waiver.reason.trim().is_empty() {
            let what = format!("waives {} without a reason", waiver.rule);
            findings.push(finding("waiver.reason".into(), &waiver.path, what, REASON_WHY, REASON_MEND));
        }
    }
}

const UNUSED_WHY: &str = "an exception that nothing needs would hide the next finding";
const UNUSED_MEND: &str = "take this [[waiver]] out of the recipe";
const REASON_WHY: &str = "exceptions are published with the image, for people to judge";
const REASON_MEND: &str = "write the reason into this [[waiver]]";

#[cfg(test)]
mod tests;
