//! Where the parts of an image come from, for every command that builds one.

use clap::Args;
use std::path::PathBuf;

/// What an image is built from.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Recipe (TOML)
    pub recipe: PathBuf,
    #[command(flatten)]
    pub options: InputOptions,
}

/// Where the parts of a recipe's image come from.
#[derive(Debug, Args)]
pub struct InputOptions {
    /// Lock [default: beside the recipe, NAME.lock.toml]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Use no network: every package must be in the store
    #[arg(long, conflicts_with_all = ["mirror", "snapshot"])]
    pub offline: bool,
    /// Folder with vitrine-init and vitrine-agent
    /// [default: image-programs beside this program's folder]
    #[arg(long, value_name = "DIR", env = "VITRINE_PROGRAMS", hide_env_values = true)]
    pub programs: Option<PathBuf>,
    #[command(flatten)]
    pub mirrors: Mirrors,
    #[command(flatten)]
    pub snapshots: Snapshots,
    #[command(flatten)]
    pub set: Set,
}

/// Where packages come from.
#[derive(Debug, Args)]
pub struct Mirrors {
    /// Debian mirror, may be given several times: tried in this order
    /// [default: VITRINE_MIRROR, else the host's apt sources]
    #[arg(long, value_name = "URL")]
    pub mirror: Vec<String>,
}

/// Where packages come from that the mirrors dropped.
#[derive(Debug, Args)]
pub struct Snapshots {
    /// Dated copies, for what the mirrors dropped: URL/YYYYMMDDTHHMMSSZ, or
    /// `{date}` in the URL; the date is that of the lock
    /// [default: VITRINE_SNAPSHOT]
    #[arg(long, value_name = "URL")]
    pub snapshot: Vec<String>,
}

/// Changes to the recipe.
#[derive(Debug, Args)]
pub struct Set {
    /// Change one value of the recipe, such as config.wireguard.mtu=1380
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it like config.wireguard.mtu=1380".into()),
    }
}
