//! `log`

use clap::{Args, Subcommand};
use std::path::PathBuf;
use vitrine_attest::Sha256;

/// Keep a transparency log: what stands in it stays, and anybody can see
///
/// A log is a folder of plain files (C2SP tlog-tiles). Its part `public` can be
/// served by any web server; nothing in it changes but the checkpoint, which
/// says how many entries there are and signs all of them.
#[derive(Debug, Args)]
pub struct Log {
    #[command(subcommand)]
    pub action: LogAction,
}

#[derive(Debug, Subcommand)]
pub enum LogAction {
    Init(InitArgs),
    Append(AppendArgs),
    Refresh(RefreshArgs),
    Get(GetArgs),
    Fsck(FsckArgs),
    RotateKey(RotateArgs),
    Serve(ServeArgs),
}

/// Make a log without entries, and its key
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log init /srv/log --origin log.example/vitrine")]
pub struct InitArgs {
    /// Folder to make
    pub dir: PathBuf,
    /// Address at which it will be served, without scheme: the log's name
    #[arg(long, value_name = "NAME")]
    pub origin: String,
    /// Witnesses that have to sign each checkpoint, as a C2SP tlog-policy with
    /// their addresses; kept as DIR/witnesses
    #[arg(long, value_name = "FILE")]
    pub witnesses: Option<PathBuf>,
}

/// Have the newest checkpoint witnessed anew and publish it
///
/// Run it from a timer, so that a log without news is not taken for one that is
/// held back, and after a failure: it finishes what was begun.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log refresh /srv/log")]
pub struct RefreshArgs {
    /// Folder of the log
    pub dir: PathBuf,
}

/// Append entries, durably
///
/// An entry that stands in the log already is not appended again. What was
/// acknowledged survives a crash at any moment; run the same command again
/// after any failure.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log append /srv/log out/release.dsse.json")]
pub struct AppendArgs {
    /// Folder of the log
    pub dir: PathBuf,
    /// Files, each of which is an entry of at most 65535 bytes
    #[arg(value_name = "FILE", required_unless_present = "lines")]
    pub files: Vec<PathBuf>,
    /// Take each line of this file as an entry; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    pub lines: Option<PathBuf>,
    /// Entries in one durable change
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch: u32,
    /// Print JSON, a line for each entry or batch
    #[arg(long)]
    pub json: bool,
}

/// Print an entry, checked against the log's signature
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log get http://log.example/vitrine --key log.pub 17
  vitrine-verify log get /srv/log --file release.dsse.json --proof release.tlog-proof")]
pub struct GetArgs {
    /// Folder or address (http://…) of the log
    #[arg(value_name = "DIR|URL")]
    pub log: String,
    /// Number of the entry, from 0
    #[arg(required_unless_present_any = ["leaf", "file"])]
    pub index: Option<u64>,
    /// The entry with this leaf hash, 64 hex digits
    #[arg(long, value_name = "HEX", conflicts_with = "index")]
    pub leaf: Option<Sha256>,
    /// The entry that is this file's bytes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["index", "leaf"])]
    pub file: Option<PathBuf>,
    /// The log's key (log.pub), or a file with several; the folder's own is
    /// taken when it is a whole log's
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Write the proof that it stands in the log (.tlog-proof)
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// Write the entry to a file instead of printing it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Hash a whole log anew and say what is wrong with it
///
/// Exit codes: 0 all is well, 1 something is wrong, 2 it cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log fsck /srv/log")]
pub struct FsckArgs {
    /// Folder of the log, or a copy of its public part
    pub dir: PathBuf,
    /// The log's key (log.pub), or a file with several: needed for a copy
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Give the log another key
///
/// First makes a second key: both sign until everybody knows the new one. Then,
/// with --retire, the older key signs no more and is removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log rotate-key /srv/log
  vitrine-verify log rotate-key /srv/log --retire")]
pub struct RotateArgs {
    /// Folder of the log
    pub dir: PathBuf,
    /// End the change: remove the older key
    #[arg(long)]
    pub retire: bool,
}

/// Serve the log's public files over HTTP, until SIGTERM or Ctrl-C
///
/// Prints the address that it listens on. Any web server can do the same with
/// the folder's `public`; put one before this for https.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log serve /srv/log --listen 127.0.0.1:8791")]
pub struct ServeArgs {
    /// Folder of the log
    pub dir: PathBuf,
    /// Address to listen on; with port 0 the system chooses one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8791")]
    pub listen: std::net::SocketAddr,
}
