//! `rebuild`

use clap::Args;
use std::path::PathBuf;

/// Build a release's image again, and sign whether it is the same
///
/// Runs `vitrine build --unsigned` with the recipe and the lock that you give,
/// and compares the image's bytes with what the statement promises. The verdict
/// is for others: their policy names your key (`rebuild`). Statements are read
/// without their signature; who signed is for those who use the verdict.
///
/// Exit code 0: the same image. 1: another one, or another lock. 2: it could not
/// be built, and nothing is signed.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify rebuild [OPTIONS] --recipe <FILE> … <STATEMENT> [-- …]",
    after_help = "\
Example:
  vitrine-verify rebuild release.dsse.json --recipe recipes/exit.toml \\
      --lock recipes/exit.lock.toml --key-file mine.key \\
      --out verdict.dsse.json -- --set \"config.owner=$(cat owner.pub)\""
)]
pub struct Rebuild {
    /// Signed release statement (release.dsse.json)
    pub statement: PathBuf,
    /// Recipe that the operator published
    #[arg(long, value_name = "FILE")]
    pub recipe: PathBuf,
    /// Its lock; the statement names its SHA-256
    #[arg(long, value_name = "FILE")]
    pub lock: PathBuf,
    /// Folder with the programs that go into the image, as you have built them
    /// from their sources (`make programs`) [default: the builder's]
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
    /// The builder, found in PATH
    #[arg(long, value_name = "PROGRAM", default_value = "vitrine")]
    pub builder: PathBuf,
    /// Your private key, as `vitrine keygen` makes it; not a key that signs
    /// releases
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Where the signed verdict is written
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Keep the build's stages in this folder, to compare them [default: a scratch
    /// folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// The operator's own stages, if they are published: says which differs first
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    /// More arguments of `vitrine build`, such as --offline or --set KEY=VALUE
    #[arg(last = true, value_name = "BUILD ARGUMENTS")]
    pub more: Vec<String>,
}
