//! `publish`

use clap::Args;
use std::path::PathBuf;

/// Put a release into a log, and write the proof beside the image
///
/// Checks the statement that `vitrine build` left in the folder (its signers,
/// its image, its sequence number among those that the log has, its last day),
/// appends it, has the log's witnesses sign, and writes release.tlog-proof.
/// Statements of other kinds in the folder (zero-log.dsse.json), and those named
/// with --also, are appended with it and get proofs of their own.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify publish out --log /srv/log --key keys/release.pub")]
pub struct Publish {
    /// Output folder of `vitrine build`
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Folder of the log
    #[arg(long, value_name = "DIR")]
    pub log: PathBuf,
    /// Key that the statements have to be signed with; several times for
    /// several
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// How many of these keys have to have signed a release
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub threshold: u8,
    /// More statements, such as revocations; their proofs are written beside
    /// them
    #[arg(long, value_name = "FILE")]
    pub also: Vec<PathBuf>,
    /// What your customers demand of the log (C2SP tlog-policy): the proof has to
    /// satisfy it
    #[arg(long, value_name = "FILE")]
    pub log_policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
