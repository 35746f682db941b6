//! `witness`

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Run a witness of transparency logs
///
/// A witness signs a log's checkpoint only if it contains the last one that it
/// has signed. So a log with witnesses cannot show one history to some and
/// another one to others. A witness does not judge what is in the log.
#[derive(Debug, Args)]
pub struct Witness {
    #[command(subcommand)]
    pub action: WitnessAction,
}

#[derive(Debug, Subcommand)]
pub enum WitnessAction {
    Init(InitWitness),
    AddLog(AddLog),
    Serve(ServeWitness),
    Show(ShowWitness),
}

/// Make a witness's folder: its key, and an empty state
///
/// Nothing is overwritten. Publish DIR/witness.pub; keep DIR/witness.key secret
/// and on this machine only.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify witness init /var/lib/witness --name witness.example/w1")]
pub struct InitWitness {
    /// Folder to make
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The witness's name: its address without scheme, by custom
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Make a second key, of ML-DSA-44: both sign each checkpoint
    #[cfg(feature = "ml-dsa")]
    #[arg(long)]
    pub ml_dsa: bool,
}

/// Witness one more log, or trust one more key of a log
///
/// The log's origin is the name in its key. End `witness serve` first: it holds
/// the folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify witness add-log /var/lib/witness --key log.pub")]
pub struct AddLog {
    /// The witness's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The log's key: its text, or a file with it
    #[arg(long, value_name = "KEY|FILE")]
    pub key: String,
}

/// Answer logs, until SIGTERM or Ctrl-C
///
/// Prints the address that it listens on. No TLS: put a reverse proxy before it
/// if logs shall reach it by https.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify witness serve /var/lib/witness --listen 127.0.0.1:8790")]
pub struct ServeWitness {
    /// The witness's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Address to listen on; with port 0 the system chooses one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8790")]
    pub listen: SocketAddr,
}

/// Show the witness's key, its logs, and what it has signed last
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify witness show /var/lib/witness --json")]
pub struct ShowWitness {
    /// The witness's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}
