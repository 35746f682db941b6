//! `bundle`

use clap::Args;
use std::path::PathBuf;

/// Put evidence, statement and proof into one file that is checked offline
///
/// The evidence is a file made by `check --save`, or a beacon, or comes from a
/// server just now; a server may hand out its statement and proof, too. Nothing
/// is judged here: whoever checks the bundle does that, with a key, roots and a
/// log policy of their own. A bundle has at most 64 KiB.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify bundle --evidence <URL> …\n       \
        vitrine-verify bundle --evidence <FILE> --statement <FILE> …",
    after_help = "\
Example:
  vitrine-verify bundle --evidence beacon.json \\
      --statement release.dsse.json --proof release.tlog-proof \\
      --out server.vitrine
  vitrine-verify check server.vitrine --policy policy.toml \\
      --log-keys log-keys.txt --ek-roots tpm-ca.pem"
)]
pub struct Bundle {
    /// Server to ask (http://HOST:PORT), messages kept with `check --save`, or a
    /// beacon
    #[arg(long, value_name = "URL|FILE")]
    pub evidence: String,
    /// Signed release statement (release.dsse.json) [default: what the server
    /// hands out]
    #[arg(long, value_name = "FILE")]
    pub statement: Option<PathBuf>,
    /// Proof that the statement stands in a log (release.tlog-proof) [default:
    /// what the server hands out, if it does]
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// Where the bundle is written; replaced whole
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
