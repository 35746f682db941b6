//! See [`vitrine_qemu`]. The result goes to stdout, everything else to stderr.

use clap::Parser as _;
use std::process::ExitCode;
use vitrine_qemu::cli::Cli;
use vitrine_qemu::{commands, interrupt, scratch};

fn main() -> ExitCode {
    let cli = Cli::parse();
    scratch::install_panic_hook();
    match interrupt::install().and_then(|()| commands::run(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
