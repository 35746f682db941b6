//! What is made from this command line itself.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine completions bash")]
pub struct Completions {
    pub shell: Shell,
}

/// Print the manual page, or write one page per command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine man --out man1")]
pub struct Man {
    /// Folder for vitrine.1, vitrine-build.1 and so on
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
