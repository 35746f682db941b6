//! `beacon`

use clap::Args;
use std::path::PathBuf;
use vitrine_attest::config::Span;

/// Write evidence that anybody can check later, dated by a log's checkpoint
///
/// Asks the server with a nonce made of the checkpoint, and keeps both in a
/// file. Put it on any web server: who checks it needs no connection to yours,
/// and does not have to trust whoever made the file. It proves that the server
/// was in this state after the checkpoint was signed; make a new one often.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  curl --silent --output checkpoint https://log.example/checkpoint
  vitrine-verify beacon http://203.0.113.7:8787 --checkpoint checkpoint \\
      --out beacon.json
  vitrine-verify check beacon.json --log-keys log-keys.txt \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem")]
pub struct Beacon {
    /// Server, http://HOST:PORT
    pub server: String,
    /// Signed checkpoint of a log, with the cosignatures of its witnesses
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Where the beacon is written; replaced whole
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Refuse a checkpoint that none of these logs and witnesses has signed, one
    /// key a line
    #[arg(long, value_name = "FILE")]
    pub log_keys: Option<PathBuf>,
    /// Go on, and look for a new checkpoint this often, such as 30s, 10m, 1h
    #[arg(long, value_name = "SPAN", value_parser = super::interval)]
    pub every: Option<Span>,
    /// Seconds to wait for the server's answer; a busy server is asked again until then
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}
