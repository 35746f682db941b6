//! `vitrine-verify policy`

use super::Done;
use crate::cli::{Policy, PolicyAction, ShowPolicy};
use crate::policy::{read, EXAMPLE};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::Result;

pub fn run(args: &Policy) -> Result<Done> {
    match &args.action {
        PolicyAction::Example => Ok(Done::ok(EXAMPLE.into())),
        PolicyAction::Show(args) => show(args),
    }
}

fn show(args: &ShowPolicy) -> Result<Done> {
    let policy = read(&args.file)?;
    if args.json {
        return Ok(Done::ok(format!("{}\n", String::from_utf8_lossy(&to_canonical_json(&policy.json())?))));
    }
    let lines: Vec<String> = policy.text().lines().map(|line| format!("{}\n", printable(line))).collect();
    Ok(Done::ok(lines.concat()))
}
