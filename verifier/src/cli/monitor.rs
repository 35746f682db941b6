//! `monitor`

use clap::{Args, Subcommand};
use std::path::PathBuf;
use vitrine_attest::config::Span;

/// Follow transparency logs and say what is wrong with them
///
/// A log keeps its operator honest only if somebody looks. A monitor reads and
/// hashes every entry, compares what it is shown with what witnesses and other
/// addresses show, holds servers against the log, and keeps what proves a lie.
#[derive(Debug, Args)]
pub struct Monitor {
    #[command(subcommand)]
    pub action: MonitorAction,
}

#[derive(Debug, Subcommand)]
pub enum MonitorAction {
    Run(RunMonitor),
    Ack(AckAlert),
    Evidence(JudgeEvidence),
}

/// Follow the logs and servers of a file, round after round
///
/// Prints a line for each alert when it is new, and when it is mended. An alert
/// stays open until it is mended or acknowledged. Exit codes after the last
/// round: 0 nothing is open, 1 an alert is open, 2 something could not be
/// judged. Ends at SIGTERM or Ctrl-C, and may be killed at any time.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify monitor run monitor.toml --once --json \\
      --metrics monitor.prom --html monitor.html")]
pub struct RunMonitor {
    /// Logs, servers, and what is expected of them (docs/monitor.md)
    #[arg(value_name = "MONITOR.toml")]
    pub file: PathBuf,
    /// One round, then end
    #[arg(long)]
    pub once: bool,
    /// Time between two rounds, such as 10m [default: the file's, else 10m]
    #[arg(long, value_name = "SPAN", value_parser = super::interval)]
    pub every: Option<Span>,
    /// Print each line as JSON
    #[arg(long)]
    pub json: bool,
    /// Keep a file with Prometheus' metrics
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Keep a page for people
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Where evidence files are kept [default: evidence in the state's folder]
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Where it is remembered what was seen [default: the file's `state`]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Take note of an alert, so that it is not open any more
///
/// Also while a monitor runs: it sees this in its next round. What was found
/// stays on the page and in its evidence file.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify monitor ack --state monitor-state 0123456789abcdef")]
pub struct AckAlert {
    /// Alerts, by the 16 hex digits of their lines
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// The monitor's folder
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
}

/// Judge an evidence file without any network
///
/// Needs nothing but the keys: that of the log, and for what releases say those
/// of their signers. Exit codes: 0 it proves what it says, 1 it does not, 2 it
/// is somebody's word.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-verify monitor evidence split-view-0123456789abcdef.json \\
      --key log.pub --key release.pub")]
pub struct JudgeEvidence {
    /// File that a monitor has kept
    pub file: PathBuf,
    /// Keys of the log and of releases, one a line; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
}
