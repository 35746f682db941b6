//! `vitrine-verify rebuild`

use super::{signing, Done};
use crate::cli::Rebuild;
use crate::{files, scratch::Scratch};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use vitrine_attest::event_log::printable;
use vitrine_attest::expected::{Platform, Prediction};
use vitrine_attest::predicate;
use vitrine_attest::rebuild_verdict::{Builder, Compared, RebuildVerdict, FACT_LIMIT};
use vitrine_attest::statement::{Release, Statement, Subject};
use vitrine_attest::{Error, Result, Sha256};

/// Stage that is compared: nobody needs a key to build it.
const UNSIGNED: &str = "6-image.unsigned.efi";
const PREDICTION: &str = "8-pcrs.json";
/// Largest image, lock and text that are read, in bytes.
const IMAGE_LIMIT: usize = 2 << 30;
const LOCK_LIMIT: usize = 16 << 20;
const TEXT_LIMIT: usize = 1 << 20;

pub fn run(args: &Rebuild) -> Result<Done> {
    let (envelope, statement) = signing::release(&args.statement)?;
    let key = signing::key(&args.key_file)?;
    let expected = promised(&statement)?;
    same_lock(&args.lock, &statement.predicate)?;
    let scratch = args.keep.is_none().then(Scratch::make).transpose()?;
    let out = scratch.as_ref().map(Scratch::path).or(args.keep.as_deref()).unwrap_or(Path::new("."));
    let version = version(&args.builder)?;
    build(args, out)?;
    let got = Sha256::of(&files::read(&out.join(UNSIGNED), IMAGE_LIMIT)?);
    let equal = expected == got;
    let verdict = RebuildVerdict {
        statement: Sha256::of(&envelope.to_json()?),
        image: Compared { expected, got },
        equal,
        first_difference: (!equal).then(|| first_difference(args, out, &statement.predicate)).flatten(),
        builder: host(version),
        date: signing::today()?,
    };
    let words = words(&verdict);
    let signed = predicate::sign(vec![Subject::new(UNSIGNED, expected)], verdict, &key)?;
    files::publish(&args.out, &signed.to_json()?, "choose another place with --out")?;
    Ok(Done { stdout: format!("{words}{} written\n", args.out.display()), exit_code: u8::from(!equal) })
}

fn promised(statement: &Statement) -> Result<Sha256> {
    let found = statement.subject.iter().find(|subject| subject.name == UNSIGNED).and_then(Subject::sha256);
    found.ok_or_else(|| Error::input(format!("the statement's subject is no {UNSIGNED}"), "give a release statement"))
}

/// Before anything is built: another lock gives another image, and says nothing about this one.
fn same_lock(path: &Path, release: &Release) -> Result<()> {
    let (expected, got) = (release.image.lock, Sha256::of(&files::read(path, LOCK_LIMIT)?));
    if expected == got {
        return Ok(());
    }
    let what = format!("{} is not the release's lock: expected {expected}, got {got}", path.display());
    Err(Error::artefact(what, "get the lock that belongs to this release from the operator"))
}

fn build(args: &Rebuild, out: &Path) -> Result<()> {
    let mut command = Command::new(&args.builder);
    command.arg("build").arg(&args.recipe).arg("--lock").arg(&args.lock);
    if let Some(programs) = &args.programs {
        command.arg("--programs").arg(programs);
    }
    // its progress and its errors are for the person
    command.args(&args.more).arg("--unsigned").arg("--out").arg(out).stdout(Stdio::null()).stderr(Stdio::inherit());
    let status = command.status().map_err(|e| cannot_start(&args.builder, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::host(format!("the image could not be built: {status}"), "see what the builder says above"))
}

fn cannot_start(builder: &Path, error: &std::io::Error) -> Error {
    Error::host(format!("{}: {error}", builder.display()), "install `vitrine`, or name it with --builder PROGRAM")
}

/// The first line of `vitrine --version`.
fn version(builder: &Path) -> Result<String> {
    let Output { stdout, status, .. } =
        Command::new(builder).arg("--version").output().map_err(|e| cannot_start(builder, &e))?;
    let text = String::from_utf8_lossy(&stdout);
    match text.lines().next() {
        Some(line) if status.success() => Ok(line.into()),
        _ => {
            Err(Error::host(format!("{} tells no version", builder.display()), "give --builder the program `vitrine`"))
        }
    }
}

/// By the operator's stages when there are some, else by what the statement says of the boot: the initramfs, or the image
/// around it. What lies before in the build is in neither.
fn first_difference(args: &Rebuild, out: &Path, release: &Release) -> Option<String> {
    match &args.against {
        Some(theirs) => by_stages(&args.builder, theirs, out),
        None => by_statement(&out.join(PREDICTION), release),
    }
}

fn by_stages(builder: &Path, theirs: &Path, ours: &Path) -> Option<String> {
    let output = Command::new(builder).args(["--json", "diff"]).arg(theirs).arg(ours).output().ok()?;
    let difference: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    difference["file"].as_str().map(String::from)
}

fn by_statement(prediction: &Path, release: &Release) -> Option<String> {
    let prediction: Prediction = serde_json::from_slice(&files::read(prediction, TEXT_LIMIT).ok()?).ok()?;
    let ours = &prediction.platforms.get(&Platform::NoSecureBoot)?.events;
    // PCR 11 holds what systemd-stub measures of the image; it depends on no key
    let of = |events: &[vitrine_attest::expected::ExpectedEvent]| {
        let sections = events.iter().filter(|event| event.pcr.index() == 11);
        sections.map(|event| (event.what.clone(), event.digest)).collect::<Vec<_>>()
    };
    let (theirs, ours) = (of(&release.boot.events), of(ours));
    let (what, _) = theirs.iter().zip(&ours).find(|(a, b)| a != b)?.0;
    Some(if what.contains(".initrd") { "5-initramfs.cpio.zst".into() } else { UNSIGNED.into() })
}

/// Short facts; what is not known is empty.
fn host(vitrine: String) -> Builder {
    let read = |path: &str| {
        let bytes = files::read(Path::new(path), TEXT_LIMIT).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    Builder {
        vitrine: short(&vitrine),
        distribution: short(name.unwrap_or_default().trim_matches('"')),
        kernel: short(read("/proc/sys/kernel/osrelease").trim()),
        cores: std::thread::available_parallelism().map_or(0, |count| count.get() as u32),
    }
}

fn short(text: &str) -> String {
    let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
    while text.len() > FACT_LIMIT {
        text.pop();
    }
    text
}

fn words(verdict: &RebuildVerdict) -> String {
    let Compared { expected, got } = &verdict.image;
    if verdict.equal {
        return format!("the same image: {UNSIGNED} {expected}\n");
    }
    let stage = verdict.first_difference.as_deref().unwrap_or("not known");
    format!(
        "another image: {UNSIGNED} expected {expected}, got {got}\nfirst stage that differs: {}\n",
        printable(stage)
    )
}
