//! `revoke`, `co-sign`

use clap::Args;
use std::path::PathBuf;
use vitrine_attest::calendar::Date;
use vitrine_attest::revocation::Reason;

/// Say that a release must not be used any more
///
/// Signs a revocation of the image with its configuration, whatever statement
/// names it. Publish it where the release is published, and in the log. It takes
/// effect for those who check with --revocation; nobody can take it back.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify revoke [OPTIONS] --statement <FILE> --reason <REASON> …",
    after_help = "\
Example:
  vitrine-verify revoke --statement release.dsse.json \\
      --reason vulnerability --text \"use 1.3 or later\" \\
      --key-file release.key --seq 3 --out revocation.dsse.json"
)]
pub struct Revoke {
    /// Signed release statement (release.dsse.json)
    #[arg(long, value_name = "FILE")]
    pub statement: PathBuf,
    /// Why: key-compromise, vulnerability, superseded, mistake, other
    #[arg(long)]
    pub reason: Reason,
    /// What people have to know, at most 1024 bytes
    #[arg(long, default_value = "")]
    pub text: String,
    /// Private release key (release.key), readable by you alone
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Number of this revocation; count yours from 1, so that a gap shows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seq: u64,
    /// Day of the revocation [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<Date>,
    /// Revoke this one statement with these signatures, not the image: another
    /// statement may go on naming it
    #[arg(long)]
    pub this_statement_only: bool,
    /// Where the revocation is written
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Add your signature to a statement that others have signed
///
/// For releases that need several signers (`threshold` in a policy). Prints what
/// it signed: compare that with what you have looked at. The file is replaced as
/// a whole, and what the others signed stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify co-sign release.dsse.json --key-file second.key")]
pub struct CoSign {
    /// Signed statement of any kind that is known here
    pub file: PathBuf,
    /// Your private key (release.key), readable by you alone
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
}
