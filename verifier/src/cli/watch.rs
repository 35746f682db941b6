//! `watch`

use super::Trust;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use vitrine_attest::config::Span;

/// Check a server, or a fleet, again and again, and tell what changes
///
/// One line for each change: accepted, rejected, could-not-judge, unreachable,
/// rebooted, rotated. The exit code is that of the last check. Without
/// --statement the server is asked for its own each time, as by `check`.
///
/// After a reboot a server has no peers. --on-reboot runs a command, without a
/// shell, when the server has new boot keys and is accepted. It finds the
/// server's address in VITRINE_SERVER and its WireGuard key in VITRINE_WG_KEY.
///
/// With FLEET.toml, thousands of servers are watched side by side; what they
/// are judged by stands in that file (docs/verify.md, "Watching a fleet"). The
/// lines are: accepted, recovered, rebooted, keys-changed, rejected,
/// could-not-judge, unreachable. The exit code is 0 when all are accepted, 1
/// when one is rejected, 2 when one could not be judged.
#[derive(Debug, Args)]
#[command(
    override_usage = "vitrine-verify watch [OPTIONS] --server <URL> … [-- <COMMAND>…]\n       \
        vitrine-verify watch [OPTIONS] <FLEET.toml>",
    mut_arg("statement", |arg| arg.required(false)),
    mut_arg("key", |arg| arg.required_unless_present_any(["policy", "fleet"])),
    after_help = "\
Example:
  trust=\"--statement release.dsse.json --key release.pub --ek-roots ca.pem\"
  vitrine-verify watch --server http://203.0.113.7:8787 $trust --on-reboot -- \\
      vitrine-verify peers sync peers.toml \\
      --server http://203.0.113.7:8787 $trust --owner-key keys/owner.key
  vitrine-verify watch fleet.toml --metrics fleet.prom --html fleet.html"
)]
pub struct Watch {
    /// Many servers, and what they are judged by, instead of --server
    #[arg(value_name = "FLEET.toml", conflicts_with_all = ["server", "Trust", "interval", "count", "on_reboot"])]
    pub fleet: Option<PathBuf>,
    /// Server, http://HOST:PORT
    #[arg(long, value_name = "URL", required_unless_present = "fleet")]
    pub server: Option<String>,
    #[command(flatten)]
    pub trust: Option<Trust>,
    /// Time between two checks, such as 30s, 5m, 1h
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = super::interval)]
    pub interval: Span,
    /// End after this many checks
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// A fleet: look at each server once, then end
    #[arg(long, requires = "fleet")]
    pub once: bool,
    /// A fleet: keep a file with Prometheus' metrics
    #[arg(long, value_name = "FILE", requires = "fleet")]
    pub metrics: Option<PathBuf>,
    /// A fleet: keep a page for people
    #[arg(long, value_name = "FILE", requires = "fleet")]
    pub html: Option<PathBuf>,
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
