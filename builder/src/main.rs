//! `vitrine`: results on standard output, everything else on standard error, exit code 0, 1 or 2.

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;
use vitrine_attest::{Blame, Error};
use vitrine_builder::cli::Cli;
use vitrine_builder::commands::{run, Outcome};
use vitrine_builder::toolchain;

fn main() -> ExitCode {
    if let Some(code) = toolchain::part() {
        return ExitCode::from(code);
    }
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli) {
        Ok(outcome) => print(&outcome, json),
        Err(error) => {
            report(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// A reader that went away (`vitrine inspect … | head`) is no failure of the command.
fn print(outcome: &Outcome, json: bool) -> ExitCode {
    let bytes = match &outcome.json {
        Some(value) if json => format!("{value:#}\n").into_bytes(),
        _ => outcome.text.clone(),
    };
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            report(&Error::host(format!("cannot write the result: {e}"), "look where standard output goes"), false);
            ExitCode::from(2)
        }
        _ => ExitCode::from(outcome.code),
    }
}

/// Two lines on standard error; with `--json` an object on standard output as well.
fn report(error: &Error, json: bool) {
    let _ = writeln!(std::io::stderr(), "vitrine: {error}");
    if json {
        let blame = match error.blame {
            Blame::Input => "input",
            Blame::Host => "host",
            Blame::Artefact => "artefact",
            Blame::Bug => "bug",
        };
        let value = serde_json::json!({
            "error": { "what": error.what, "hint": error.hint, "blame": blame, "exit_code": error.exit_code() }
        });
        let _ = writeln!(std::io::stdout(), "{value:#}");
    }
}
