//! One file for each verb. Results go to stdout, everything else to stderr.

mod boot;
mod controls;
mod demo;
mod documents;
pub(crate) mod files;
mod prove;

use crate::cli::{Cli, Command};
use vitrine_attest::{Error, Result};

/// Runs one verb; gives the exit code.
///
/// # Errors
/// When it could not be done; see [`Error::exit_code`].
pub fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Boot(args) => boot::run(&args),
        Command::Controls(args) => controls::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Prove(args) => prove::run(&args),
        Command::Completions(args) => documents::completions(args.shell),
        Command::Man => documents::man(),
    }
}

/// Writes a result.
fn print(text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::host(format!("the result cannot be written: {e}"), ""))
}

/// A line of news.
fn note(line: &str) {
    eprintln!("{line}");
}
