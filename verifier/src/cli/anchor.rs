//! `anchor`, with the feature `anchors`.

use crate::anchor::evm::{Address, BlockHash};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Write a log's checkpoint down where the log cannot take it back
///
/// With OpenTimestamps (Bitcoin), or in a contract on an EVM chain that takes a
/// new checkpoint only when it continues the one before. An anchor proves that
/// bytes existed by a time; it does not prove what a server runs. Nothing here
/// holds keys of a chain: your own wallet sends what is printed.
#[derive(Debug, Args)]
pub struct Anchor {
    #[command(subcommand)]
    pub action: AnchorAction,
}

#[derive(Debug, Subcommand)]
pub enum AnchorAction {
    OtsExport(OtsExport),
    OtsAdd(OtsAdd),
    OtsCheck(OtsCheck),
    EvmDeploy(EvmDeploy),
    EvmCall(EvmCall),
    EvmQuery(EvmQuery),
    EvmCheck(EvmCheck),
}

/// Begin an OpenTimestamps file for a checkpoint
///
/// Works without a network, and prints what the calendar has to be sent. The
/// file proves nothing until the calendar's answers are in it.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify anchor ots-export [OPTIONS] --calendar <URL> --out <FILE>\n           \
        <CHECKPOINT>",
    after_help = "\
Example:
  vitrine-verify anchor ots-export checkpoint \\
      --calendar https://calendar.example --out checkpoint.ots"
)]
pub struct OtsExport {
    /// The checkpoint; keep exactly this file
    pub checkpoint: PathBuf,
    /// Calendar that is named in the file
    #[arg(long, value_name = "URL")]
    pub calendar: String,
    /// Where to write the timestamp
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Ask the calendar at this address (http://…) at once, and write its answer
    /// into the file
    #[arg(long, value_name = "URL")]
    pub post: Option<String>,
}

/// Put a calendar's answer into an OpenTimestamps file
///
/// The first answer is a promise; the same question some hours later brings the
/// way into a block of Bitcoin.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify anchor ots-add checkpoint.ots answer")]
pub struct OtsAdd {
    /// The timestamp; it is replaced
    #[arg(value_name = "FILE.ots")]
    pub timestamp: PathBuf,
    /// What the calendar answered
    pub answer: PathBuf,
    /// Which of the waiting commitments it is about; needed when there are
    /// several
    #[arg(long, value_name = "HEX")]
    pub commitment: Option<String>,
}

/// Check an OpenTimestamps file against headers of Bitcoin that you trust
///
/// Needs no network. Exit codes: 0 a header has it, 1 rejected, 2 could not
/// judge, as when the timestamp has no way into Bitcoin yet.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify anchor ots-check [OPTIONS] --block-header <HEX|FILE>\n           \
        <FILE.ots> <CHECKPOINT>",
    after_help = "\
Example:
  vitrine-verify anchor ots-check checkpoint.ots checkpoint \\
      --block-header header.bin --height 840000"
)]
pub struct OtsCheck {
    /// The timestamp
    #[arg(value_name = "FILE.ots")]
    pub timestamp: PathBuf,
    /// The checkpoint, the file that was stamped
    pub checkpoint: PathBuf,
    /// Header of a block that you trust to be in the chain: 160 hex digits, or a
    /// file with them or with the 80 bytes; may be given several times
    #[arg(long, value_name = "HEX|FILE", required = true)]
    pub block_header: Vec<String>,
    /// Height at which that block stands: one header only
    #[arg(long, value_name = "N")]
    pub height: Option<u64>,
    /// The log's key (log.pub): also demand its signature on the checkpoint
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Print what a deployment of the anchor contract sends
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify anchor evm-deploy > contract.hex")]
pub struct EvmDeploy {}

/// Print the call that anchors a checkpoint
///
/// Makes the consistency proof from the log's tiles and checks it first. The
/// contract keeps heads under the address that sends: send from the same one
/// each time.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify anchor evm-call [OPTIONS] --log <DIR|URL> --old <N>\n           \
        <CHECKPOINT>",
    after_help = "\
Example:
  vitrine-verify anchor evm-call checkpoint --log /srv/log --old 1025"
)]
pub struct EvmCall {
    /// The checkpoint that is to be anchored
    pub checkpoint: PathBuf,
    /// Folder or address (http://…) of the log
    #[arg(long, value_name = "DIR|URL")]
    pub log: String,
    /// Size of the head that is anchored now; 0: there is none
    #[arg(long, value_name = "N")]
    pub old: u64,
    /// The log's key (log.pub); the folder's own is taken when it is a whole
    /// log's
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Print the two questions to a node whose answers evm-check takes
///
/// One line of JSON each: for the block's header, then for the proof.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify anchor evm-query --contract <0x…> --publisher <0x…>\n           \
        --block-hash <0x…> <CHECKPOINT>",
    after_help = "\
Example:
  vitrine-verify anchor evm-query checkpoint --contract 0x… --publisher 0x… \\
      --block-hash 0x…"
)]
pub struct EvmQuery {
    /// A checkpoint of the log
    pub checkpoint: PathBuf,
    #[command(flatten)]
    pub place: EvmPlace,
}

/// Where a head was anchored, and the block as of which it is looked at.
#[derive(Debug, Args)]
pub struct EvmPlace {
    /// Address of the contract
    #[arg(long, value_name = "0x…")]
    pub contract: Address,
    /// Address that anchored
    #[arg(long, value_name = "0x…")]
    pub publisher: Address,
    /// Hash of a block that you trust to be in the chain
    #[arg(long, value_name = "0x…")]
    pub block_hash: BlockHash,
}

/// Check that a checkpoint is the anchored head as of a block that you trust
///
/// Needs no network: the header has to have the block's hash, and leads to the
/// contract's code and storage by the proof that a node gave.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify anchor evm-check [OPTIONS] --contract <0x…>\n           \
        --publisher <0x…> --block-hash <0x…>\n           \
        --header <FILE> --proof <FILE> <CHECKPOINT>",
    after_help = "\
Example:
  vitrine-verify anchor evm-check checkpoint --contract 0x… --publisher 0x… \\
      --block-hash 0x… --header header.json --proof proof.json"
)]
pub struct EvmCheck {
    /// The checkpoint
    pub checkpoint: PathBuf,
    #[command(flatten)]
    pub place: EvmPlace,
    /// The block's header: RLP (bytes, or 0x…), or a node's answer to
    /// eth_getBlockByHash
    #[arg(long, value_name = "FILE")]
    pub header: PathBuf,
    /// A node's answer to eth_getProof
    #[arg(long, value_name = "FILE")]
    pub proof: PathBuf,
    /// Folder or address (http://…) of the log: also take a checkpoint that the
    /// anchored head continues
    #[arg(long, value_name = "DIR|URL")]
    pub log: Option<String>,
    /// The log's key (log.pub): also demand its signature on the checkpoint
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}
