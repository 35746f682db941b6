//! The command line: structs only, so that completions and man pages come from the same place.

mod build;
mod export;
mod inputs;
mod keys;
mod look;
mod packages;
mod pages;
mod slots;

pub use build::{Build, Compile};
pub use export::Export;
pub use inputs::{InputOptions, Inputs, Mirrors, Set, Snapshots};
pub use keys::{Enrol, Keygen, OutsideSigner, Sign};
pub use look::{Diff, Inspect, Predict, Screen};
pub use packages::{Lock, Update, Vendor};
pub use pages::{Completions, Man};
pub use slots::{Judging, Slots, SlotsAction, SlotsActivate, SlotsInstall, SlotsRollback, SlotsStatus};

use clap::{Parser, Subcommand};

/// Builds VPN servers that cannot log, as signed and measured boot images.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, max_term_width = 80, disable_help_subcommand = true)]
#[command(after_help = "\
Example:
  vitrine keygen --out keys
  vitrine lock recipes/exit.toml
  vitrine build recipes/exit.toml --out out/exit --keys keys

Exit codes: 0 done or alike, 1 refused or different, 2 could not do it.")]
pub struct Cli {
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Show no progress
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Keygen(Keygen),
    Lock(Lock),
    Compile(Compile),
    Update(Update),
    Vendor(Vendor),
    Build(Build),
    Screen(Screen),
    Inspect(Inspect),
    Predict(Predict),
    Diff(Diff),
    Sign(Sign),
    Export(Export),
    Enrol(Enrol),
    Slots(Slots),
    Completions(Completions),
    Man(Man),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
