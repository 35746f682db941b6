//! `vitrine-qemu controls`

use super::{files, note, print};
use crate::cli::Controls;
use crate::controls::{run as try_all, Control, Judge, ProofJudge, Report, ScreenJudge, Surroundings, Variants};
use std::fs;
use std::time::Duration;
use vitrine_attest::{Error, Result};

pub fn run(args: &Controls) -> Result<u8> {
    let mut controls = Control::all(&args.folder)?;
    if let Some(only) = &args.only {
        controls.retain(|control| control.name == *only);
        if controls.is_empty() {
            return Err(Error::input(format!("there is no control {only}"), "look into the folder of controls"));
        }
    }
    let [names, upstream, app] = [&args.names, &args.upstream, &args.app].map(|path| files::absolute(path));
    let variants = Variants::new(&args.folder, Surroundings { names, upstream, app })?;
    let screen = ScreenJudge::new(&variants, args.waived.as_deref());
    let mut log = |line: &str| note(&format!("  {line}"));
    let proof = ProofJudge::new(&variants, Duration::from_secs(args.patience), &mut log);
    let judges: &[&dyn Judge] = if args.screen_only { &[&screen] } else { &[&screen, &proof] };
    let report = try_all(&controls, judges, &mut |line| note(line))?;
    if let Some(path) = &args.table {
        fs::write(path, report.page())
            .map_err(|e| Error::input(format!("{}: {e}", path.display()), "give --table a file"))?;
    }
    print(&result(&report, args.json)?)?;
    Ok(report.exit_code(args.screen_only))
}

fn result(report: &Report, json: bool) -> Result<String> {
    if !json {
        return Ok(report.text());
    }
    let value =
        serde_json::to_string_pretty(report).map_err(|e| Error::bug(format!("the report has no JSON form: {e}")))?;
    Ok(value + "\n")
}
