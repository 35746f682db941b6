//! The command line, and nothing else.

#[cfg(feature = "anchors")]
mod anchor;
mod attach;
mod beacon;
mod bundle;
#[cfg(feature = "cpu-evidence")]
mod cpu;
mod fetch;
mod fleet_epoch;
mod log;
mod monitor;
mod peers;
mod policy;
mod proxy;
mod publish;
mod rebuild;
mod revoke;
mod state;
mod watch;
mod wg_config;
mod witness;

#[cfg(feature = "anchors")]
pub use anchor::{Anchor, AnchorAction, EvmCall, EvmCheck, EvmDeploy, EvmPlace, EvmQuery, OtsAdd, OtsCheck, OtsExport};
pub use attach::Attach;
pub use beacon::Beacon;
pub use bundle::Bundle;
#[cfg(feature = "cpu-evidence")]
pub use cpu::CpuFiles;
pub use fetch::Fetch;
pub use fleet_epoch::{CheckRecord, FleetEpoch, FleetEpochAction, MakeEpoch, MakeRecord};
pub use log::{
    AppendArgs, FindArgs, FsckArgs, GetArgs, IndexArgs, InitArgs, Log, LogAction, RefreshArgs, RotateArgs, ServeArgs,
};
pub use monitor::{AckAlert, JudgeEvidence, Monitor, MonitorAction, RunMonitor};
pub use peers::{AddPeer, CommitmentArgs, OnePeer, OwnerArgs, PeerAction, Peers, SyncPeers};
pub use policy::{Policy, PolicyAction, ShowPolicy};
pub use proxy::Proxy;
pub use publish::Publish;
pub use rebuild::Rebuild;
pub use revoke::{CoSign, Revoke};
pub use state::{ForgetArgs, ListArgs, Name, State, StateAction};
pub use watch::Watch;
pub use wg_config::WgConfig;
pub use witness::{AddLog, InitWitness, ServeWitness, ShowWitness, Witness, WitnessAction};

use crate::verdict::Level;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use vitrine_attest::Sha256;

/// Check that a VPN server runs exactly a published image
#[derive(Debug, Parser)]
#[command(
    name = "vitrine-verify",
    version,
    max_term_width = 80,
    after_help = "\
Exit codes: 0 accepted or done, 1 rejected, 2 could not judge.

Example:
  vitrine-verify check http://203.0.113.7:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Check(Check),
    Peers(Peers),
    Attach(Attach),
    WgConfig(WgConfig),
    Fetch(Fetch),
    Proxy(Proxy),
    Watch(Watch),
    Beacon(Beacon),
    Log(Log),
    Monitor(Monitor),
    Publish(Publish),
    Bundle(Bundle),
    Revoke(Revoke),
    CoSign(CoSign),
    Rebuild(Rebuild),
    FleetEpoch(FleetEpoch),
    State(State),
    Policy(Policy),
    Witness(Witness),
    #[cfg(feature = "anchors")]
    Anchor(Anchor),
    EventLog(EventLog),
    Completions(Completions),
    /// Print the man page
    Man,
}

/// Ask a server for evidence and judge it
///
/// Asks with a fresh nonce, has the server's TPM open a secret, and compares
/// what the TPM signed with what the statement predicts. Every check is
/// reported, and so is what is not proven.
///
/// A server may hand out its statement, and the proof that it stands in a log:
/// they are asked for when you give none, and judged like files of yours. Then
/// the server chooses among the releases that your key has signed; a policy can
/// say which you mean.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify check [OPTIONS] <URL|BUNDLE>\n       \
        vitrine-verify check [OPTIONS] --statement <FILE> <FILE>",
    mut_arg("statement", |arg| arg.required(false)),
    after_help = "\
Example:
  vitrine-verify check http://[2001:db8::7]:8787 \\
      --statement release.dsse.json --key release.pub --ek-roots tpm-ca.pem"
)]
pub struct Check {
    /// Server (http://HOST:PORT), or a file: saved evidence, a beacon, or a
    /// bundle, which has its statement in it
    #[arg(value_name = "URL|FILE")]
    pub target: String,
    #[command(flatten)]
    pub trust: Trust,
    #[cfg(feature = "cpu-evidence")]
    #[command(flatten)]
    pub cpu: CpuFiles,
    /// Nonce that a file of bare evidence has to answer, 64 hex digits
    #[arg(long, value_name = "HEX")]
    pub nonce: Option<Sha256>,
    /// Logs and witnesses whose checkpoints date a beacon, one key a line
    #[arg(long, value_name = "FILE")]
    pub log_keys: Option<PathBuf>,
    /// Proof that the beacon itself stands in a log: it was made before your
    /// witnesses saw it there; needs a log policy
    #[arg(long, value_name = "FILE")]
    pub beacon_proof: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Reject with 3 when only the firmware changed, 4 when the image did, else
    /// 1 (without this: always 1)
    #[arg(long)]
    pub detailed_exit_code: bool,
    /// Name the first event that differs, and its likely cause
    #[arg(long)]
    pub explain: bool,
    /// Keep the messages in a file that can be checked again
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

/// What the person trusts.
#[derive(Debug, Args)]
pub struct Trust {
    /// Signed release statement (release.dsse.json)
    #[arg(long, value_name = "FILE", required = true)]
    pub statement: Option<PathBuf>,
    /// Key the statement has to be signed with (release.pub); a policy can name
    /// some instead
    #[arg(long, value_name = "FILE", required_unless_present = "policy")]
    pub key: Option<PathBuf>,
    /// What you demand beyond the checks (see `vitrine-verify policy example`)
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Proof that the statement stands in a log (release.tlog-proof); needs a log
    /// policy
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// Demand that proof: which logs and witnesses count (C2SP tlog-policy); the
    /// policy's table `[log]` can say it instead
    #[arg(long, value_name = "FILE")]
    pub log_policy: Option<PathBuf>,
    /// Certificates of TPM vendors, PEM or DER: a file with one or many, or a
    /// folder of .pem, .crt, .cer and .der
    #[arg(long, visible_alias = "roots", value_name = "FILE|DIR")]
    pub ek_roots: Option<PathBuf>,
    /// Lowest level that is accepted; L1 does without TPM vendor [default: the
    /// policy's, else L2]
    #[arg(long, value_name = "LEVEL")]
    pub accept_level: Option<Level>,
    /// Revocations that you know of, a file or a folder of .json; may be given
    /// several times
    #[arg(long, value_name = "FILE|DIR")]
    pub revocation: Vec<PathBuf>,
    /// What others got who built the image again, a file or a folder of .json;
    /// the policy names who counts
    #[arg(long, value_name = "FILE|DIR")]
    pub rebuild_verdict: Vec<PathBuf>,
    /// Where servers are remembered, so that none goes back in time [default:
    /// vitrine/verify-state.json in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Remember nothing, compare with nothing
    #[arg(long, conflicts_with = "state")]
    pub no_state: bool,
    /// Seconds to wait for each answer; a busy server is asked again until then
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

/// Print a firmware event log and the PCR values it leads to
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify event-log \\
      /sys/kernel/security/tpm0/binary_bios_measurements")]
pub struct EventLog {
    /// Binary log as the kernel gives it
    pub file: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify completions bash > /etc/bash_completion.d/vitrine-verify")]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

/// Time between two rounds.
fn interval(text: &str) -> Result<vitrine_attest::config::Span, String> {
    let span: vitrine_attest::config::Span = text.parse()?;
    if span.as_seconds() == 0 {
        return Err("at least 1s".into());
    }
    Ok(span)
}
