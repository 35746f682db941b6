//! `wg-config`

use super::Trust;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;
use vitrine_attest::config::Cidr;

/// Check a server, then print a WireGuard configuration for it
///
/// The configuration holds the key that the server's TPM vouched for just now,
/// the newest one if the server rotates its keys. Nothing is printed for a
/// server that is not accepted. Without --statement the server is asked for its
/// own, as by `check`.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify wg-config [OPTIONS] --server <URL> …",
    mut_arg("statement", |arg| arg.required(false)),
    group(clap::ArgGroup::new("private").required(true).args(["private_key_file", "generate"])),
    after_help = "\
Example:
  vitrine-verify wg-config --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem \\
      --generate --address 10.66.0.7/32 --out laptop.conf --qr"
)]
pub struct WgConfig {
    /// Server, http://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub server: String,
    #[command(flatten)]
    pub trust: Trust,
    /// Your WireGuard private key (`wg genkey`), readable by you alone
    #[arg(long, value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    /// Make a new private key; its public half goes to the owner
    #[arg(long)]
    pub generate: bool,
    /// Your addresses inside the tunnel, as the owner gave them to you
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',')]
    pub address: Vec<Cidr>,
    /// Where the tunnel is reached [default: the server's host, its first port]
    #[arg(long, value_name = "HOST:PORT")]
    pub endpoint: Option<String>,
    /// Name servers [default: the server's own, if it has one]
    #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',')]
    pub dns: Vec<IpAddr>,
    /// Write it to a file that only you can read
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show it as a QR code, for a phone
    #[arg(long)]
    pub qr: bool,
}
