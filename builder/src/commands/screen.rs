//! `vitrine screen`

use super::source_audit;
use super::sources::Sources;
use super::Outcome;
use crate::cli::Screen;
use crate::progress::Progress;
use crate::steps::{Audited, Screened, Staged, Workshop};
use crate::target::{self, Waivers};
use serde_json::{json, Value};
use std::fmt::Write as _;
use std::path::Path;
use vitrine_attest::{Blame, Error, Result};
use vitrine_initramfs::{masked_summary, sarif, screen_subject, Context, Formats, Policy, Report, CMDLINE};

pub fn run(args: &Screen, progress: &Progress) -> Result<Outcome> {
    match (&args.source, &args.target) {
        (Some(folder), _) => source_audit::run(folder, args.waivers.as_ref(), &args.without, args.sarif),
        (None, Some(target)) if target::is_recipe(target) => recipe(args, target, progress),
        (None, Some(target)) => anything(args, target),
        (None, None) => Err(Error::input("there is nothing to screen", "name a target, or give --source DIR")),
    }
}

/// What a screen of a tree may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    /// The kernel command line.
    Cmdline,
    /// Other file systems in a folder.
    Mounts,
}

impl Without {
    fn parse(word: &str) -> Result<Self> {
        match word {
            "cmdline" => Ok(Self::Cmdline),
            "mounts" => Ok(Self::Mounts),
            _ => Err(Error::input(
                format!("--without {word}: a tree has no such part"),
                "name cmdline or mounts; languages can be left out with --source",
            )),
        }
    }
}

/// What a recipe would put into its image.
fn recipe(args: &Screen, target: &Path, progress: &Progress) -> Result<Outcome> {
    if args.cmdline.is_some() || args.kernel.is_some() || args.statement.is_some() || args.printk {
        return Err(Error::input(
            "a recipe says its command line, kernel and waivers itself",
            "leave --cmdline, --kernel, --statement and --printk out, or build the image and screen that",
        ));
    }
    let sources = Sources::gather(target, &args.options, progress)?;
    let compiled_from = sources.compiled_from();
    let with = Workshop { store: &sources.store, programs: &sources.programs, compiled_from: &compiled_from, progress };
    let audited = Audited::new(sources.locked, &with, |_| Ok(()))?;
    let staged = Staged::new(audited, &with)?;
    let (mut head, mut found) = (String::new(), None);
    let screened = Screened::new(staged, &with, |findings| {
        head += &masked_summary(&findings.masked);
        let json =
            serde_json::to_value(findings).map_err(|e| Error::bug(format!("findings have no JSON form: {e}")))?;
        found = Some((findings.report.clone(), json));
        Ok(())
    });
    match (screened, found) {
        // a refusal is the answer here, and the findings say why
        (Ok(_), Some((report, json))) => answer(args, &report, head, json),
        (Err(e), Some((report, json))) if e.blame == Blame::Artefact => answer(args, &report, head, json),
        (Err(e), _) => Err(e),
        (Ok(_), None) => Err(Error::bug("the screen gave no findings")),
    }
}

/// A folder, an image, boot files.
fn anything(args: &Screen, path: &Path) -> Result<Outcome> {
    let left_out = args.without.iter().map(|word| Without::parse(word)).collect::<Result<Vec<_>>>()?;
    let target = target::open(path, args.cross_mounts)?;
    let Waivers { waivers, note } = Waivers::find(path, &target, args.statement.as_deref(), args.key.as_deref())?;
    let named = match &args.kernel {
        Some(path) => Some(target::read(path)?),
        None => None,
    };
    let mut unjudged = target.unjudged;
    let mut without = Vec::new();
    let leave_out = |what| left_out.contains(&what);
    if leave_out(Without::Mounts) && unjudged.iter().any(|u| u.rule == "judge.mount") {
        unjudged.retain(|u| u.rule != "judge.mount");
        without.push("mounts".to_string());
    }
    let cmdline = args.cmdline.clone().or(target.cmdline);
    if leave_out(Without::Cmdline) && cmdline.is_none() {
        without.push(CMDLINE.to_string());
    }
    let context = Context {
        cmdline,
        dev: target.dev,
        modules: Vec::new(),
        kernel: named.as_deref().or(target.kernel.as_deref()),
        kernel_sha256: None,
        unjudged,
        without,
        printk: args.printk,
        memo: None,
    };
    let screening = screen_subject(target.subject.as_ref(), &context, &Policy::standard(), &waivers);
    let mut head = String::new();
    for note in note.iter().cloned().chain(skipped(&target.skipped)) {
        // writing to a String cannot fail
        let _ = writeln!(head, "note: {note}");
    }
    let mut json =
        serde_json::to_value(&screening.report).map_err(|e| Error::bug(format!("a report has no JSON form: {e}")))?;
    if args.printk {
        json["printk"] = json!(screening.printk);
        let _ = write!(head, "{}", printk(&screening.printk));
    }
    answer(args, &screening.report, head, json)
}

fn skipped(paths: &[String]) -> Option<String> {
    (!paths.is_empty()).then(|| format!("not looked into, of the running kernel: {}", paths.join(", ")))
}

/// ```text
/// printk  kernel  2b2358b3…
///     %pI4: bad checksum
/// ```
fn printk(inventory: &[Formats]) -> String {
    let mut out = String::new();
    for file in inventory {
        let _ = writeln!(out, "printk  {}  {}", file.path, file.sha256);
        for format in &file.formats {
            let _ = writeln!(out, "    {}", format.escape_debug());
        }
    }
    out
}

fn answer(args: &Screen, report: &Report, head: String, mut json: Value) -> Result<Outcome> {
    let hash = report.compliance_hash()?;
    let code = report.exit_code();
    if args.sarif {
        let policy = Policy::standard();
        let log = sarif("vitrine", env!("CARGO_PKG_VERSION"), &policy.rules(), &report.findings);
        return Ok(Outcome { text: format!("{log:#}\n").into_bytes(), json: None, code });
    }
    let verdict = match code {
        0 => "let through",
        1 => "refused",
        _ => "could not be judged in full",
    };
    json["zero_log_compliance_hash"] = json!(hash);
    let first = first_lines(report);
    let text = format!("{first}{head}{report}zero-log compliance hash {hash}\n{verdict}\n");
    Ok(Outcome { text: text.into_bytes(), json: Some(json), code })
}

/// What was not judged, before anything else.
fn first_lines(report: &Report) -> String {
    let mut out = String::new();
    for name in &report.without {
        let _ = writeln!(out, "not judged, as asked: {name}");
    }
    if report.open().any(|finding| finding.rule == "judge.cmdline") {
        out += "not judged: the kernel command line, which is not part of this\n";
    }
    if report.dev {
        out += "a development image: a console and a shell are accepted\n";
    }
    out
}
