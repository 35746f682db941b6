//! `watch`

use super::Trust;
use clap::Args;
use std::ffi::OsString;
use vitrine_attest::config::Span;

/// Check a server again and again, and tell what changes
///
/// One line for each change: accepted, rejected, could-not-judge, unreachable,
/// rebooted, rotated. The exit code is that of the last check.
///
/// After a reboot a server has no peers. --on-reboot runs a command, without a
/// shell, when the server has new boot keys and is accepted. It finds the
/// server's address in VITRINE_SERVER and its WireGuard key in VITRINE_WG_KEY.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify watch [OPTIONS] --server <URL> … [-- <COMMAND>…]",
    after_help = "\
Example:
  trust=\"--statement release.dsse.json --key release.pub --ek-roots ca.pem\"
  vitrine-verify watch --server http://203.0.113.7:8787 $trust --on-reboot -- \\
      vitrine-verify peers sync peers.toml \\
      --server http://203.0.113.7:8787 $trust --owner-key keys/owner.key"
)]
pub struct Watch {
    /// Server, http://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub server: String,
    #[command(flatten)]
    pub trust: Trust,
    /// Time between two checks, such as 30s, 5m, 1h
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = interval)]
    pub interval: Span,
    /// End after this many checks
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Print each change as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Run the command behind `--` after a reboot
    #[arg(long, requires = "command")]
    pub on_reboot: bool,
    /// Program and arguments for --on-reboot
    #[arg(last = true, value_name = "COMMAND", requires = "on_reboot")]
    pub command: Vec<OsString>,
}

fn interval(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.as_seconds() == 0 {
        return Err("at least 1s".into());
    }
    Ok(span)
}
