//! `fleet-epoch …`

use clap::{Args, Subcommand};
use std::path::PathBuf;
use vitrine_attest::calendar::Date;
use vitrine_attest::Sha256;

/// Say which servers ran in a time span, and show it to each customer alone
///
/// The operator signs one root over all servers, filled up so that nobody learns
/// how many there are. Each customer gets a file with the own record and its path
/// to the root. It does not show that the list is complete, or that nobody else
/// was given the same record.
#[derive(Debug, Args)]
pub struct FleetEpoch {
    #[command(subcommand)]
    pub action: FleetEpochAction,
}

#[derive(Debug, Subcommand)]
pub enum FleetEpochAction {
    Make(MakeEpoch),
    Record(MakeRecord),
    Check(CheckRecord),
}

/// The operator: sign an epoch, and write a file for each server
///
/// Writes fleet-epoch.dsse.json, which is published, and book.json and
/// records/NAME.json, which are secret: with the book anybody counts the servers.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify fleet-epoch make --servers <FILE> --capacity <N> …",
    after_help = "\
Example:
  vitrine-verify fleet-epoch make --servers servers.toml --capacity 1024 \\
      --epoch 7 --from 2026-11-01 --until 2026-11-30 \\
      --key-file release.key --out-dir epoch-7

servers.toml:
  version = 1
  [[server]]
  name = \"zurich-1\"
  ek = \"<64 hex>\"            # as `vitrine-verify state list` names it
  fingerprint = \"vitrine1:…\"
  customer = \"c-17\"          # may be left out"
)]
pub struct MakeEpoch {
    /// All servers, TOML
    #[arg(long, value_name = "FILE")]
    pub servers: PathBuf,
    /// Places, a power of two up to 65536; published, so keep it from epoch to
    /// epoch
    #[arg(long, value_name = "N")]
    pub capacity: u64,
    /// Number of this epoch
    #[arg(long, value_name = "N")]
    pub epoch: u64,
    /// First day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Date,
    /// Last day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Date,
    /// Private release key (release.key), readable by you alone
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Folder for the files; must not be there yet
    #[arg(long, value_name = "DIR")]
    pub out_dir: PathBuf,
}

/// The operator: write one customer's file again, from the book
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify fleet-epoch record --book <FILE> --server <HEX> …",
    after_help = "\
Example:
  vitrine-verify fleet-epoch record --book epoch-7/book.json \\
      --statement epoch-7/fleet-epoch.dsse.json \\
      --server 4e0c…f1 --out zurich-1.json"
)]
pub struct MakeRecord {
    /// book.json of the epoch
    #[arg(long, value_name = "FILE")]
    pub book: PathBuf,
    /// fleet-epoch.dsse.json of the epoch
    #[arg(long, value_name = "FILE")]
    pub statement: PathBuf,
    /// SHA-256 of the server's endorsement key, 64 hex digits
    #[arg(long, value_name = "HEX")]
    pub server: Sha256,
    /// Where the customer's file is written
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// The customer: is my server in the epoch?
///
/// Exit code 0: it is. 1: it is not, or the signature does not hold. Compare the
/// server that is named with the one that you use: `vitrine-verify state list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify fleet-epoch check --record <FILE> --statement <FILE> …",
    after_help = "\
Example:
  vitrine-verify fleet-epoch check --record zurich-1.json \\
      --statement fleet-epoch.dsse.json --key release.pub"
)]
pub struct CheckRecord {
    /// The file that the operator made for you
    #[arg(long, value_name = "FILE")]
    pub record: PathBuf,
    /// The published statement
    #[arg(long, value_name = "FILE")]
    pub statement: PathBuf,
    /// Key the statement has to be signed with (release.pub)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}
