//! Packages, in a lock and in an archive of everything.

use super::{Inputs, Mirrors, Set, Snapshots};
use clap::Args;
use std::path::PathBuf;

/// Resolve a recipe's packages and write down every hash
///
/// Reads the signed release files and package indices of the Debian archive, checks them
/// against the archive's keyring, and follows the dependencies of the recipe's packages.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine lock recipes/exit.toml")]
pub struct Lock {
    /// Recipe (TOML)
    pub recipe: PathBuf,
    /// Where the lock goes [default: beside the recipe, NAME.lock.toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The archive's public keys
    #[arg(long, value_name = "FILE", default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    pub keyring: PathBuf,
    #[command(flatten)]
    pub mirrors: Mirrors,
    #[command(flatten)]
    pub set: Set,
}

/// Move a recipe's lock to what the archive has now, and say what changes
///
/// Prints each package that comes, goes or changes its version, and which come from a
/// security suite. With --compare it builds both images before the lock is replaced: a lock
/// whose image cannot be built, or is refused by the screen, is not written.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, or nothing to do; with --check 1: there are updates.

Example:
  vitrine update recipes/exit.toml --check
  vitrine update recipes/exit.toml --compare out/update")]
pub struct Update {
    /// Recipe (TOML)
    pub recipe: PathBuf,
    /// Lock to move [default: beside the recipe, NAME.lock.toml]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Change nothing; exit code 1 when there are updates
    #[arg(long)]
    pub check: bool,
    /// Build both images, into DIR/old and DIR/new, and compare screen and sizes
    #[arg(long, value_name = "DIR")]
    pub compare: Option<PathBuf>,
    /// Folder with vitrine-init and vitrine-agent, for --compare
    /// [default: image-programs beside this program's folder]
    #[arg(long, value_name = "DIR", env = "VITRINE_PROGRAMS", hide_env_values = true)]
    pub programs: Option<PathBuf>,
    /// The archive's public keys
    #[arg(long, value_name = "FILE", default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    pub keyring: PathBuf,
    #[command(flatten)]
    pub mirrors: Mirrors,
    #[command(flatten)]
    pub snapshots: Snapshots,
    #[command(flatten)]
    pub set: Set,
}

/// Put everything that a rebuild needs into one archive
///
/// Recipe with its parents and files, lock, every locked package, and the programs that go
/// into the image. `vitrine build --from` rebuilds from it without a network. The same
/// inputs give the same archive, byte by byte; any `tar` unpacks it.
/// With --toolchain also what the programs are compiled from, for `vitrine compile --from`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine vendor recipes/exit.toml --out exit.tar
  vitrine build --from exit.tar --out out/again --unsigned")]
pub struct Vendor {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Archive to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Carry compiler, sources and crates along: lock of the toolchain that made the programs
    #[arg(long, value_name = "LOCK")]
    pub toolchain: Option<PathBuf>,
    /// Folder of the sources that the programs are from, for --toolchain
    #[arg(long, value_name = "DIR", default_value = ".", requires = "toolchain")]
    pub source: PathBuf,
}
