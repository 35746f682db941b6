//! `vitrine-qemu prove`: the behavioural proof of one image.

use super::{files, note, print};
use crate::cli::Prove;
use crate::progress::Waiting;
use crate::prove::picture::{draw, Line};
use crate::prove::plain;
use crate::prove::report::Report;
use crate::prove::run::{beside, prove, Options, FLUSHED, TIMES};
use crate::prove::statement::{payload, sign, signing_key, SIGNED, UNSIGNED};
use std::path::Path;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

pub fn run(args: &Prove) -> Result<u8> {
    let options = Options {
        out: args.out.clone(),
        keys: args.keys.clone(),
        names: args.names.clone().unwrap_or_else(|| beside(&args.out, "names")),
        upstream: args.upstream.clone().unwrap_or_else(|| beside(&args.out, "upstream")),
        reduced: args.reduced,
        busy: args.busy,
        patience: Duration::from_secs(args.patience),
        around: args.around.clone(),
    };
    // Before minutes are spent: a key that cannot sign
    let release_key = args.keys.join("release.key");
    let key = match (&args.sign_with, args.unsigned, release_key.exists()) {
        (Some(path), _, _) => Some(signing_key(path)?),
        (None, false, true) => Some(signing_key(&release_key)?),
        (None, _, _) => None,
    };
    let (plain, picture) = (args.plain.as_deref().map(files::absolute), args.picture.as_deref().map(files::absolute));
    let report = watched(&options, plain.as_deref())?;
    let folder = files::absolute(&args.out);
    if let Some(picture) = picture {
        let ours = Line::new(&format!("Vitrine, {}", report.image.name), &report.moments);
        let plain = Line::new("plain Debian: WireGuard, nftables, unbound", &report.plain);
        let lines: Vec<Line> = [plain, ours].into_iter().filter(|line| !line.points.is_empty()).collect();
        write(&picture, draw(&lines).as_bytes())?;
    }
    match &key {
        Some(key) => write(&folder.join(SIGNED), &sign(&report, key)?.to_json()?)?,
        None => write(&folder.join(UNSIGNED), &payload(&report)?)?,
    }
    if args.json {
        let text = serde_json::to_string(&report).map_err(|e| Error::bug(e.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&report.to_string())?;
    }
    Ok(report.verdict.exit_code())
}

/// A line for each step with its time, and something that moves on a terminal.
fn watched(options: &Options, plain: Option<&Path>) -> Result<Report> {
    let begin = Instant::now();
    let waiting = Waiting::begin("proving; this takes about ten minutes");
    let mut log = |line: &str| {
        waiting.aside(|| note(&format!("{:>5} s  {line}", begin.elapsed().as_secs())));
    };
    let mut report = prove(options, &mut log)?;
    if let Some(folder) = plain {
        let times = [&TIMES[..], &[FLUSHED]].concat();
        report.plain = plain::prove(folder, &files::absolute(&options.names), &times, options.patience, &mut log)?;
    }
    Ok(report)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| Error::host(format!("{}: {e}", path.display()), "make room there"))?;
    note(&format!("written: {}", path.display()));
    Ok(())
}
