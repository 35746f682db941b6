//! Screen: looks for everything that could log, and refuses the tree when it finds something.
//!
//! It does **not** prove that the programs it lets through keep nothing: it knows names, imports, texts, modules and
//! words, not behaviour. The running image is examined by the watch and by the behavioural proof.

mod app;
mod judge;
mod memo;
mod words;

pub use memo::Memo;

use crate::foreign::Unjudged;
use crate::item::{Subject, TreeSubject};
use crate::modinfo::normal;
use crate::path::ImagePath;
use crate::policy::{FileRule, Policy};
use crate::printk::Formats;
use crate::report::{Finding, LookedAt, Report};
use crate::stage::MODULE_LIST;
use crate::tree::Tree;
use crate::waive::apply_waivers;
use crate::{glob, screen::judge::Judge};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use vitrine_attest::statement::Waiver;
use vitrine_attest::Sha256;

/// Path of findings about the kernel command line; a waiver names it like a file's.
pub const CMDLINE: &str = "cmdline";
/// Path of findings about the kernel beside the tree.
pub const KERNEL: &str = "kernel";

/// What surrounds the tree.
#[derive(Debug, Clone, Default)]
pub struct Context<'a> {
    /// The kernel command line; none: nobody knows it.
    pub cmdline: Option<String>,
    /// A development image may have a console and a shell.
    pub dev: bool,
    /// Modules that the recipe names.
    pub modules: Vec<String>,
    /// The kernel that boots the tree: a bzImage.
    pub kernel: Option<&'a [u8]>,
    /// Of that kernel, where it is known already.
    pub kernel_sha256: Option<Sha256>,
    /// What the reader of the tree could not read.
    pub unjudged: Vec<Unjudged>,
    /// What the user asked not to judge: `cmdline`.
    pub without: Vec<String>,
    /// Whether to list the kernel's formats with addresses.
    pub printk: bool,
    /// Where verdicts on large files are kept between screens; none: everything is looked at.
    pub memo: Option<Memo<'a>>,
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

/// The screen's answer.
#[derive(Debug, Clone)]
pub struct Screening {
    pub report: Report,
    /// When it was asked for. It is no part of the report, so that the compliance hash is the same with it.
    pub printk: Vec<Formats>,
}

/// Applies the screen rules to a tree that is being built.
///
/// # Errors
/// The report, when a finding is not waived, or a waiver matches nothing or has no reason.
pub fn screen(
    tree: Tree,
    context: &Context<'_>,
    policy: &Policy,
    waivers: &[Waiver],
) -> Result<(Screened, Report), Box<Report>> {
    let mut report = screen_subject(&TreeSubject::of(&tree), context, policy, waivers).report;
    // a waiver cannot accept these: the finished image does not show what its recipe named
    report.findings.extend(policy.files.iter().flat_map(|rule| named_modules(rule, context, &tree)));
    report.findings.sort();
    match report.clean() {
        true => Ok((Screened { tree }, report)),
        false => Err(Box::new(report)),
    }
}

/// Applies the screen rules to anything.
///
/// The report's `tree` is the SHA-256 over one line for each thing, sorted:
/// ```text
/// 100555 0:0 640840 ba78…15ad /usr/lib/vitrine/agent
/// 120777 0:0 0 - /lib64 -> usr/lib64
/// ```
/// Mode with file type in octal, owner:group, size in bytes, SHA-256 or `-`, path, link target.
pub fn screen_subject(subject: &dyn Subject, context: &Context<'_>, policy: &Policy, waivers: &[Waiver]) -> Screening {
    let judge = Judge::new(policy, context.dev, context.printk);
    let (mut seen, kernel, kernel_sha256) = look(subject, &judge, context);
    seen.findings.extend(kernel.findings);
    seen.printk.extend(kernel.printk);
    seen.findings.extend(judge.words(context));
    seen.findings.extend(context.unjudged.iter().map(|u| judge.unjudged(u.rule, &u.path, &u.what)));
    app::accept(&mut seen, policy);
    apply_waivers(&mut seen.findings, waivers);
    seen.findings.sort();
    seen.findings.dedup();
    seen.lines.sort_unstable();
    seen.printk.sort();
    let report = Report {
        policy: policy.sha256,
        rules: policy.rules().len() as u64,
        tree: Sha256::of(seen.lines.concat().as_bytes()),
        kernel: kernel_sha256,
        cmdline: context.cmdline.clone(),
        dev: context.dev,
        without: context.without.clone(),
        looked_at: seen.looked_at,
        findings: seen.findings,
    };
    Screening { report, printk: seen.printk }
}

/// What one thread saw.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    lines: Vec<String>,
    findings: Vec<Finding>,
    printk: Vec<Formats>,
    looked_at: LookedAt,
    /// What the configuration starts below `/app`.
    #[serde(default)]
    app: Option<String>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.findings.extend(other.findings);
        self.printk.extend(other.printk);
        self.app = self.app.take().or(other.app);
        self.looked_at.files += other.looked_at.files;
        self.looked_at.bytes += other.looked_at.bytes;
    }
}

/// Most threads: beyond that the disk or the memory is the limit.
const MOST_THREADS: usize = 16;

/// Looks at everything, with a thread for each processor; the kernel, the largest piece, begins first. Gives what was
/// seen in the tree, what in the kernel, and the kernel's hash.
fn look(subject: &dyn Subject, judge: &Judge<'_>, context: &Context<'_>) -> (Seen, Seen, Option<Sha256>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let (next, memo) = (AtomicUsize::new(0), context.memo.as_ref());
    let work = || {
        let mut seen = Seen::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= subject.len() {
                return seen;
            }
            subject.visit(number, &mut |item| memo::item(memo, judge, item, &mut seen));
        }
    };
    let kernel = || match context.kernel {
        None => (Seen::default(), None),
        Some(bytes) => {
            let sha256 = context.kernel_sha256.unwrap_or_else(|| Sha256::of(bytes));
            (memo::kernel(memo, judge, KERNEL, bytes, sha256), Some(sha256))
        }
    };
    std::thread::scope(|scope| {
        let kernel = scope.spawn(kernel);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Seen::default();
        for worker in workers {
            all.add(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        let (kernel, sha256) = kernel.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (all, kernel, sha256)
    })
}

/// Modules that the recipe names and that are no file of the tree: they are built into the kernel.
fn named_modules(rule: &FileRule, context: &Context<'_>, tree: &Tree) -> Vec<Finding> {
    let file = |name: &str| {
        let is = |path: &ImagePath| path.file_name().strip_suffix(".ko").is_some_and(|stem| normal(stem) == name);
        tree.iter().any(|(path, _)| is(path))
    };
    let named = context.modules.iter().map(|name| normal(name)).filter(|name| !file(name));
    let hit = named.filter(|name| rule.modules.iter().any(|pattern| glob::matches(pattern, name)));
    hit.map(|name| Finding::new(rule.words(), MODULE_LIST, format!("module {name}"))).collect()
}

const DEV: &str = "a development image, measured and named as one";

#[cfg(test)]
mod tests;
