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
    Find(FindArgs),
    Index(IndexArgs),
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
    #[cfg(feature = "object-storage")]
    #[command(flatten)]
    pub bucket: BucketArgs,
}

/// Where the log lies, if not in its folder
#[cfg(feature = "object-storage")]
#[derive(Debug, Args)]
pub struct BucketArgs {
    /// Keep the log in this bucket (S3), so that several machines can append to
    /// it; DIR keeps its keys. Credentials: AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY, or DIR/credentials
    #[arg(long, value_name = "s3://BUCKET/PREFIX", requires = "endpoint")]
    pub bucket: Option<String>,
    /// Address of the store, without the bucket
    #[arg(long, value_name = "URL", requires = "bucket")]
    pub endpoint: Option<String>,
    /// Region that requests are signed for
    #[arg(long, value_name = "REGION", requires = "bucket", default_value = "us-east-1")]
    pub region: String,
    /// The store's CA (PEM), if it is none of the web's; kept as DIR/ca.pem
    #[arg(long, value_name = "FILE", requires = "bucket")]
    pub ca: Option<PathBuf>,
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

/// Find entries by a digest or an image's name
///
/// Asks the log's index, which the log signs, and reads the entries that are
/// newer than it. What is found is proven to stand in the log. That there is
/// nothing more, in so far as the index says so, is the log's word: whoever has
/// the entries can show that it lied (`log fsck`).
///
/// Exit codes: 0 found, 1 not there or the log contradicts itself, 2 it cannot
/// be read.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log find /srv/log --name gateway --version 1.4.0
  vitrine-verify log find http://log.example/vitrine --key log.pub \\
      --digest \"$(sha256sum < release.dsse.json | cut -c -64)\"")]
pub struct FindArgs {
    /// Folder or address (http://…) of the log
    #[arg(value_name = "DIR|URL")]
    pub log: String,
    /// Entries that name this SHA-256, and the entry of which it is: an image, a
    /// configuration, a fingerprint, a statement; 64 hex digits, with
    /// `vitrine1:` before them or not
    #[arg(long, value_name = "HEX", required_unless_present_any = ["name", "leaf"], value_parser = digest)]
    pub digest: Option<Sha256>,
    /// Releases of the image with this name
    #[arg(long, value_name = "NAME", conflicts_with = "digest")]
    pub name: Option<String>,
    /// Only those of this version
    #[arg(long, value_name = "VERSION", requires = "name")]
    pub version: Option<String>,
    /// The entry with this leaf hash
    #[arg(long, value_name = "HEX", conflicts_with_all = ["digest", "name"])]
    pub leaf: Option<Sha256>,
    /// The log's key (log.pub), or a file with several; the folder's own is
    /// taken when it is a whole log's
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Read all entries instead of asking the index
    #[arg(long)]
    pub scan: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A fingerprint is a digest with a word before it.
fn digest(text: &str) -> Result<Sha256, String> {
    text.strip_prefix("vitrine1:").unwrap_or(text).parse()
}

/// Bring the log's index up to its last entry
///
/// `log append`, `log refresh` and `publish` do this by themselves. The index is
/// made from the entries: nothing is lost with it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log index /srv/log --anew")]
pub struct IndexArgs {
    /// Folder of the log
    pub dir: PathBuf,
    /// Make it from the entries alone, whatever is there
    #[arg(long)]
    pub anew: bool,
}

/// Hash a whole log anew and say what is wrong with it
///
/// Exit codes: 0 all is well, 1 something is wrong, 2 it cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify log fsck /srv/log")]
pub struct FsckArgs {
    /// Folder of the log, a copy of its public part, or its address (http://…),
    /// where only what the checkpoint needs is read
    #[arg(value_name = "DIR|URL")]
    pub log: String,
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
