//! See [`vitrine_verifier`]. The result goes to stdout, everything else to stderr.

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;
use vitrine_verifier::cli::Cli;
use vitrine_verifier::commands::{self, Done};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(Done { stdout, exit_code }) => match std::io::stdout().write_all(stdout.as_bytes()) {
            Ok(()) => ExitCode::from(exit_code),
            Err(error) => {
                eprintln!("cannot write the result: {error}");
                ExitCode::from(2)
            }
        },
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
