//! Applies the rules to one thing.

use super::{app, words, Context, Seen, CMDLINE, DEV};
use crate::facts::Facts;
use crate::glob;
use crate::item::{Item, What};
use crate::kernel_code::{embedded_config, is_bzimage, kernel_hits, parameters, unpack_kernel};
use crate::policy::{ConfigRule, JudgeRule, LineRule, Policy, RuleText, Syntax};
use crate::printk::{formats, Formats};
use crate::report::Finding;
use crate::statements::{statements, Statement};
use crate::texts::Texts;
use std::collections::BTreeMap;
use vitrine_attest::Sha256;

/// Largest text file that is read line by line, in bytes.
const TEXT_LIMIT: usize = 16 << 20;
/// Most findings of one rule in one file.
const MOST_LINES: usize = 50;

pub struct Judge<'p> {
    policy: &'p Policy,
    texts: &'p Texts,
    dev: bool,
    printk: bool,
}

impl<'p> Judge<'p> {
    pub fn new(policy: &'p Policy, dev: bool, printk: bool) -> Self {
        Self { policy, texts: &policy.texts, dev, printk }
    }

    /// What is asked: the same rules and questions give the same answers.
    pub fn asked(&self) -> [u8; 34] {
        let mut asked = [0; 34];
        asked[..32].copy_from_slice(&self.policy.sha256.0);
        asked[32..].copy_from_slice(&[u8::from(self.dev), u8::from(self.printk)]);
        asked
    }

    /// One thing: its line for the tree's hash, and what is wrong with it.
    pub fn item(&self, item: &Item<'_>, seen: &mut Seen) {
        if matches!(item.what, What::Folder) {
            seen.lines.push(line(item, None));
            return;
        }
        let facts = Facts::of(item, self.texts);
        seen.lines.push(line(item, facts.sha256));
        seen.looked_at.files += 1;
        seen.app = seen.app.take().or_else(|| app::program(item));
        seen.looked_at.bytes += item.bytes().len() as u64;
        for rule in &self.policy.files {
            let hits = facts.hits(rule, &self.policy.masks, self.texts);
            if !hits.is_empty() {
                let text = rule.words();
                let finding = Finding { sha256: facts.sha256, ..Finding::new(text, facts.path, hits.join("; ")) };
                seen.findings.push(self.accepted(finding, rule.dev));
            }
        }
        match &item.what {
            What::File(_) => self.file(&facts, seen),
            What::Unread(why) => seen.findings.push(self.unjudged("judge.file", facts.path, why)),
            _ => {}
        }
    }

    /// What a file says in lines, and kernels that lie in the tree.
    fn file(&self, facts: &Facts<'_>, seen: &mut Seen) {
        if let Some(why) = &facts.damaged {
            seen.findings.push(self.unjudged("judge.file", facts.path, &format!("cannot be unpacked: {why}")));
        }
        let start = seen.findings.len();
        self.lines(facts, seen);
        if is_config(facts) {
            seen.findings.extend(self.config(facts.path, &facts.bytes));
        }
        seen.findings[start..].iter_mut().for_each(|finding| finding.sha256 = facts.sha256);
        if is_bzimage(&facts.bytes) {
            let sha256 = facts.sha256.unwrap_or_else(|| Sha256::of(&facts.bytes));
            self.kernel(facts.path, &facts.bytes, sha256, seen);
        } else if self.printk && facts.name.contains(".ko") {
            self.list_formats(facts.path, facts.sha256, &facts.bytes, seen);
        }
    }

    fn lines(&self, facts: &Facts<'_>, seen: &mut Seen) {
        let mut cut: BTreeMap<Syntax, Vec<Statement>> = BTreeMap::new();
        let named = |pattern: &String| match pattern.starts_with(['/', '*']) && pattern.contains('/') {
            true => glob::matches(pattern, &facts.place),
            false => glob::matches(pattern, facts.name),
        };
        for rule in self.policy.lines.iter().filter(|rule| rule.files.iter().any(named)) {
            if facts.bytes.len() > TEXT_LIMIT {
                let what = format!("has {} bytes, too many for {}", facts.bytes.len(), rule.id);
                seen.findings.push(self.unjudged("judge.file", facts.path, &what));
                continue;
            }
            let statements = cut.entry(rule.syntax).or_insert_with(|| statements(&facts.bytes, rule.syntax));
            let text = rule.words();
            for (line, what) in line_hits(rule, statements) {
                let finding = Finding { line, ..Finding::new(text, facts.path, what) };
                seen.findings.push(self.accepted(finding, rule.dev));
            }
        }
    }

    /// A kernel: its texts, what is built in, its configuration, its formats.
    pub fn kernel(&self, path: &str, bytes: &[u8], sha256: Sha256, seen: &mut Seen) {
        let sha256 = Some(sha256);
        let kernel = match unpack_kernel(bytes) {
            Ok(kernel) => kernel,
            Err(why) => return seen.findings.push(self.unjudged("judge.kernel", path, &why)),
        };
        let parameters = parameters(&kernel);
        for rule in &self.policy.kernels {
            let hits = kernel_hits(&kernel, &parameters, rule);
            if !hits.is_empty() {
                let text = rule.words();
                seen.findings.push(Finding { sha256, ..Finding::new(text, path, hits.join("; ")) });
            }
        }
        match embedded_config(&kernel) {
            None => {}
            Some(Ok(config)) => {
                seen.findings.extend(self.config(path, &config).into_iter().map(|f| Finding { sha256, ..f }));
            }
            Some(Err(why)) => {
                seen.findings.push(self.unjudged("judge.kernel", path, &format!("its configuration: {why}")))
            }
        }
        if self.printk {
            self.list_formats(path, sha256, &kernel, seen);
        }
    }

    fn list_formats(&self, path: &str, sha256: Option<Sha256>, bytes: &[u8], seen: &mut Seen) {
        let (formats, Some(sha256)) = (formats(bytes), sha256) else { return };
        if !formats.is_empty() {
            seen.printk.push(Formats { path: path.into(), sha256, formats });
        }
    }

    fn config(&self, path: &str, bytes: &[u8]) -> Vec<Finding> {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("CONFIG_")).collect();
        let mut findings = Vec::new();
        for rule in &self.policy.configs {
            let hits = config_hits(rule, &lines);
            let text = rule.words();
            findings.extend((!hits.is_empty()).then(|| Finding::new(text, path, hits.join(", "))));
        }
        findings
    }

    /// The kernel command line.
    pub fn words(&self, context: &Context<'_>) -> Vec<Finding> {
        let Some(cmdline) = &context.cmdline else {
            let asked = context.without.iter().any(|what| what == CMDLINE);
            let what = "is not part of what was given";
            return if asked { Vec::new() } else { vec![self.unjudged("judge.cmdline", CMDLINE, what)] };
        };
        let mut findings = Vec::new();
        for rule in &self.policy.words {
            let text = rule.words();
            for what in words::hits(rule, cmdline) {
                findings.push(self.accepted(Finding::new(text, CMDLINE, what), rule.dev));
            }
        }
        findings
    }

    /// A finding of a `judge.` rule.
    pub fn unjudged(&self, rule: &str, path: &str, what: &str) -> Finding {
        let known = self.policy.judges.iter().find(|known| known.id == rule);
        let words = known.map_or(RuleText { id: rule, why: "", mend: "" }, JudgeRule::words);
        Finding::new(words, path, what)
    }

    fn accepted(&self, finding: Finding, dev: bool) -> Finding {
        Finding { waived: (dev && self.dev).then(|| DEV.to_string()), ..finding }
    }
}

/// One line of the tree's inventory.
fn line(item: &Item<'_>, sha256: Option<Sha256>) -> String {
    let sum = sha256.map_or_else(|| "-".to_string(), |sum| sum.to_string());
    let target = match &item.what {
        What::Link(target) => format!(" -> {target}"),
        What::Block(major, minor) | What::Char(major, minor) => format!(" {major}:{minor}"),
        _ => String::new(),
    };
    let (user, group) = item.owner;
    format!("{:06o} {user}:{group} {} {sum} {}{target}\n", item.mode, item.bytes().len(), item.path)
}

fn line_hits(rule: &LineRule, statements: &[Statement]) -> Vec<(Option<u32>, String)> {
    // in a statement a slash is a character like any other
    let flat = |text: &str| text.replace('/', "\u{1}");
    let any = |patterns: &[String], text: &str| {
        let text = flat(text);
        patterns.iter().any(|pattern| glob::matches(&flat(pattern), &text))
    };
    let bad = |statement: &&Statement| any(&rule.forbidden, &statement.text) && !any(&rule.allowed, &statement.text);
    let bad = statements.iter().filter(bad).take(if rule.once { 1 } else { MOST_LINES });
    let mut hits: Vec<(Option<u32>, String)> =
        bad.map(|statement| (Some(statement.line), format!("says {:?}", statement.text))).collect();
    let lacks = |required: &&String| !statements.iter().any(|s| any(std::slice::from_ref(*required), &s.text));
    hits.extend(rule.required.iter().filter(lacks).map(|required| (None, format!("does not say {required:?}"))));
    hits
}

fn config_hits(rule: &ConfigRule, lines: &[&str]) -> Vec<String> {
    let has = |wanted: &str| lines.contains(&wanted);
    let lacks = rule.required.iter().filter(|wanted| !has(wanted)).map(|wanted| format!("lacks {wanted}"));
    let holds = rule.forbidden.iter().filter(|wanted| has(wanted)).map(|wanted| format!("has {wanted}"));
    lacks.chain(holds).collect()
}

/// `/boot/config-6.12`, `/usr/lib/modules/6.12/config`.
fn is_config(facts: &Facts<'_>) -> bool {
    let place = facts.place.as_ref();
    (place.starts_with("/boot/config-") || (place.starts_with("/usr/lib/modules/") && facts.name == "config"))
        && facts.bytes.len() <= TEXT_LIMIT
}
