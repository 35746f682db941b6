//! `peers …`

use super::Trust;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;

/// Tell a server who may use its tunnel, or ask about one peer
///
/// Each verb checks the server first. Only when it is accepted, an order signed
/// with the owner's key is sealed to the key that the server's TPM vouched for,
/// and sent. The answer comes back sealed, so nobody on the way can make it up.
/// No verb lists peers: the server has no such operation.
#[derive(Debug, Args)]
pub struct Peers {
    #[command(subcommand)]
    pub action: PeerAction,
}

#[derive(Debug, Subcommand)]
pub enum PeerAction {
    Add(AddPeer),
    /// Remove a peer
    #[command(
        override_usage = "vitrine-verify peers remove [OPTIONS] --server <URL> …",
        after_help = "\
Example:
  vitrine-verify peers remove --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem \\
      --owner-key keys/owner.key --peer mBTl…="
    )]
    Remove(OnePeer),
    /// Ask whether a peer is configured, and whether it is online
    ///
    /// Exit code 0: it is configured. 1: it is not, or the server was rejected.
    #[command(
        override_usage = "vitrine-verify peers has [OPTIONS] --server <URL> …",
        after_help = "\
Example:
  vitrine-verify peers has --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem \\
      --owner-key keys/owner.key --peer mBTl…="
    )]
    Has(OnePeer),
    Sync(SyncPeers),
    Commitment(CommitmentArgs),
}

/// Add a peer, or change the networks of one
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify peers add [OPTIONS] --server <URL> …",
    after_help = "\
Example:
  vitrine-verify peers add --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem \\
      --owner-key keys/owner.key --peer \"$(wg pubkey < client.key)\" \\
      --allowed-ips 10.66.0.7/32,fd66::7/128"
)]
pub struct AddPeer {
    #[command(flatten)]
    pub one: OnePeer,
    /// Networks that the peer may use, separated by commas
    #[arg(long, value_name = "CIDR,…", required = true, value_delimiter = ',')]
    pub allowed_ips: Vec<Cidr>,
}

#[derive(Debug, Args)]
pub struct OnePeer {
    #[command(flatten)]
    pub owner: OwnerArgs,
    /// WireGuard public key of the peer, base64
    #[arg(long, value_name = "KEY")]
    pub peer: Key32,
}

/// Make the server hold exactly the peers of a file
///
/// The file is TOML:
///
///   [[peer]]
///   key = "mBTl…="
///   allowed_ips = ["10.66.0.7/32", "fd66::7/128"]
///   name = "laptop"        # stays here, is never sent
///
/// Peers that do not change keep their sessions. Nothing happens before all
/// parts have arrived, and the server has to prove afterwards that it holds
/// exactly this set.
#[allow(rustdoc::broken_intra_doc_links)] // the sample is TOML
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify peers sync [OPTIONS] --server <URL> … <FILE>",
    verbatim_doc_comment,
    after_help = "\
Example:
  vitrine-verify peers sync peers.toml --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem \\
      --owner-key keys/owner.key"
)]
pub struct SyncPeers {
    /// Peers that the server shall have
    pub file: PathBuf,
    #[command(flatten)]
    pub owner: OwnerArgs,
    /// Take a file without peers: all are removed
    #[arg(long)]
    pub allow_empty: bool,
}

/// Check that the server holds exactly the peers of a file
///
/// All of them, and nobody else's: the server answers with one hash over its
/// peers and a number made up here, and this program compares it with the file.
/// Exit code 0: the same. 1: different, or the server was rejected.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify peers commitment [OPTIONS] --server <URL> … <FILE>",
    after_help = "\
Example:
  vitrine-verify peers commitment peers.toml \\
      --server http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem \\
      --owner-key keys/owner.key"
)]
pub struct CommitmentArgs {
    /// Peers as for `peers sync`
    pub file: PathBuf,
    #[command(flatten)]
    pub owner: OwnerArgs,
}

#[derive(Debug, Args)]
pub struct OwnerArgs {
    /// Server, http://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub server: String,
    #[command(flatten)]
    pub trust: Trust,
    /// The owner's secret key (owner.key), readable by you alone
    #[arg(long, value_name = "FILE")]
    pub owner_key: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}
