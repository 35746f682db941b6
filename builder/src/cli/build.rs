//! Programs and images.

use super::{InputOptions, Mirrors, OutsideSigner};
use clap::Args;
use std::path::PathBuf;

/// Compile the programs of an image in a root made from a lock
///
/// The compiler comes from the lock's packages and runs without a network: the
/// bytes depend on lock and sources alone. `vitrine build --programs DIR` takes
/// the result and says in the statement which toolchain and sources it is from.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine compile recipes/toolchain.lock.toml --out out/programs
  vitrine build recipes/exit.toml --programs out/programs --out out/exit \\
    --keys keys
  vitrine compile --from exit.tar --out out/again")]
pub struct Compile {
    /// Lock of a toolchain, made by `vitrine lock recipes/toolchain.toml`
    #[arg(required_unless_present = "from")]
    pub lock: Option<PathBuf>,
    /// Archive of `vitrine vendor --toolchain` to compile from, without a network:
    /// its own programs have to come out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lock", "source", "offline", "mirror"])]
    pub from: Option<PathBuf>,
    /// Folder for the programs and programs.json, the record of their inputs
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of vitrine's sources
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub source: PathBuf,
    /// Use no network: packages and crates must be in the store or Cargo's cache
    #[arg(long, conflicts_with = "mirror")]
    pub offline: bool,
    #[command(flatten)]
    pub mirrors: Mirrors,
}

/// Build an image from a recipe and its lock
///
/// Leaves one file per stage in the output folder. The unsigned image,
/// 6-image.unsigned.efi, has the same bytes wherever it is built.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine build recipes/exit.toml --out out/exit --keys keys
  vitrine build recipes/exit.toml --out out/again --unsigned
  vitrine build --from exit.tar --out out/offline --unsigned")]
pub struct Build {
    /// Recipe (TOML)
    #[arg(required_unless_present = "from")]
    pub recipe: Option<PathBuf>,
    /// Archive of `vitrine vendor` to build from, without a network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recipe", "lock", "offline", "mirror", "snapshot"])]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub options: InputOptions,
    /// Output folder; what an earlier build left there is replaced
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of `vitrine keygen`
    #[arg(long, value_name = "DIR", required_unless_present = "unsigned")]
    pub keys: Option<PathBuf>,
    /// Stop before signing: no image.efi, no statement
    #[arg(long, conflicts_with = "sign_with")]
    pub unsigned: bool,
    #[command(flatten)]
    pub outside: OutsideSigner,
}
