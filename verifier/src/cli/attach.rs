//! `attach`

use super::OwnerArgs;
use clap::Args;
use std::path::PathBuf;

/// Have a server hand out its release statement and proof beside its evidence
///
/// Checks the server by them first, as everybody will. Only when it is accepted,
/// an order signed with the owner's key names what it shall hand out; then the
/// files are sent, fetched back and compared. Whoever checks the server needs
/// no files then but keys of their own.
///
/// The server keeps them in RAM, at most 48 KiB, instead of what it had before,
/// until it restarts: run this again after each boot. They are public. With
/// --proof, your log policy judges it first.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify attach [OPTIONS] --server <URL> …",
    after_help = "\
Example:
  vitrine-verify attach --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --proof release.tlog-proof \\
      --log-policy log-policy --key release.pub --ek-roots tpm-ca.pem \\
      --owner-key keys/owner.key"
)]
pub struct Attach {
    #[command(flatten)]
    pub owner: OwnerArgs,
    /// Another signed statement about the release, such as a rebuild's verdict;
    /// may be given several times
    #[arg(long, value_name = "FILE")]
    pub also: Vec<PathBuf>,
    /// Have it hand out nothing any more
    #[arg(long, conflicts_with = "also")]
    pub nothing: bool,
}
