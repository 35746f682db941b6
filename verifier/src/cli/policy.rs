//! `policy`

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Begin a policy, or show what one demands
///
/// A policy is a file for --policy: which release keys and images, which level,
/// how old, which firmware.
#[derive(Debug, Args)]
pub struct Policy {
    #[command(subcommand)]
    pub action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Print a policy with everything that can be said, and why
    #[command(after_help = "\
Example:
  vitrine-verify policy example > policy.toml")]
    Example,
    /// Read a policy and say what it demands
    #[command(after_help = "\
Example:
  vitrine-verify policy show policy.toml")]
    Show(ShowPolicy),
}

#[derive(Debug, Args)]
pub struct ShowPolicy {
    /// Policy, TOML
    pub file: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}
