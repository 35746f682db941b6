//! `state`

use crate::memory::ServerId;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Show or forget the servers that are remembered
///
/// Every accepted server is remembered with its TPM's counters, so that a
/// later check sees when it was put back to an earlier state. Forget a server
/// when its operator says why its TPM was cleared: the next check sees it
/// first.
#[derive(Debug, Args)]
pub struct State {
    #[command(subcommand)]
    pub action: StateAction,
}

#[derive(Debug, Subcommand)]
pub enum StateAction {
    /// List the servers that are remembered
    #[command(after_help = "\
Example:
  vitrine-verify state list")]
    List(ListArgs),
    /// Forget one server
    #[command(after_help = "\
Example:
  vitrine-verify state forget http://203.0.113.7:8787")]
    Forget(ForgetArgs),
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub place: Place,
    /// Print them as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// Address as it was given to `check`, or the TPM, or a log, as `list` shows
    /// it
    #[arg(value_name = "SERVER")]
    pub server: Name,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Place {
    /// State file [default: vitrine/verify-state.json in $XDG_STATE_HOME or
    /// ~/.local/state]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// How a person names a server that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    Tpm(ServerId),
    Address(String),
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Address(text.trim_end_matches('/').into()), Self::Tpm)
    }
}
