//! One file for each verb.

mod accepted;
#[cfg(feature = "anchors")]
mod anchor;
mod attach;
mod beacon;
mod bundle;
mod check;
mod co_sign;
mod documents;
mod event_log;
mod fetch;
mod fleet;
mod fleet_epoch;
mod judging;
mod log;
mod monitor;
mod peers;
mod policy;
mod proxy;
mod publish;
mod rebuild;
mod revoke;
mod signing;
mod state;
mod trust;
mod watch;
mod wg_config;
mod witness;

use crate::cli::{Cli, Command};
use std::io::Write as _;
use vitrine_attest::{Error, Result};

/// What a command leaves: its result, and the exit code.
#[derive(Debug)]
pub struct Done {
    pub stdout: String,
    pub exit_code: u8,
}

impl Done {
    fn ok(stdout: String) -> Self {
        Self { stdout, exit_code: 0 }
    }
}

/// A line of a command that goes on, at once.
fn print(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    written.map_err(|e| Error::host(format!("cannot write the result: {e}"), "give it a place to write to"))
}

pub fn run(cli: Cli) -> Result<Done> {
    match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Peers(args) => peers::run(&args),
        Command::Attach(args) => attach::run(&args),
        Command::WgConfig(args) => wg_config::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Proxy(args) => proxy::run(args),
        Command::Watch(args) => watch::run(&args),
        Command::Beacon(args) => beacon::run(&args),
        Command::Log(args) => log::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Revoke(args) => revoke::run(&args),
        Command::CoSign(args) => co_sign::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::FleetEpoch(args) => fleet_epoch::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::State(args) => state::run(&args),
        Command::Witness(args) => witness::run(&args),
        #[cfg(feature = "anchors")]
        Command::Anchor(args) => anchor::run(&args),
        Command::EventLog(args) => event_log::run(&args),
        Command::Completions(args) => documents::completions(args.shell),
        Command::Man => documents::man(),
    }
}
