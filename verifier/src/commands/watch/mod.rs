//! `vitrine-verify watch`: the same check again and again; one line for each change.

mod hook;
pub(super) mod state;

use super::fleet;
use super::judging::Prepared;
use super::{print, Done};
use crate::cli::{Trust, Watch};
use crate::clock::{now, timestamp};
use crate::outcome::Status;
use crate::report::Report;
use crate::server::Server;
use crate::session;
use crate::verdict::Verdict;
use serde_json::json;
use state::{Event, Seen, State};
use std::time::{Duration, Instant};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Blame, Error, Result};

/// A fleet, or one server: then it returns after `--count` checks, or when a line cannot be written.
pub fn run(args: &Watch) -> Result<Done> {
    match (&args.fleet, &args.server, &args.trust) {
        (Some(file), ..) => fleet::run(args, file),
        (None, Some(server), Some(trust)) => one(args, server, trust),
        // the command line asks for one or the other
        _ => Err(Error::input("neither a fleet nor a server was named", "give FLEET.toml, or --server")),
    }
}

fn one(args: &Watch, server: &str, trust: &Trust) -> Result<Done> {
    let server = Server::new(server, Duration::from_secs(trust.timeout))?;
    // mistakes in files are said at once; later, each check reads them again, so that a new statement is taken up
    Prepared::read(trust, true)?;
    let mut state = State::default();
    let mut checks = 0;
    let mut hook_failed = false;
    loop {
        let begun = Instant::now();
        let seen = look(trust, &server);
        if let Some(event) = state.change(&seen) {
            say(args, &server, &event, &seen)?;
            if let (Event::Rebooted, Seen::Accepted(keys), true) = (&event, &seen, args.on_reboot) {
                let ended = hook::run(&args.command, server.name(), keys);
                hook_failed |= ended != Some(0);
                say(args, &server, &Event::Command(ended), &seen)?;
            }
        }
        checks += 1;
        if args.count.is_some_and(|count| checks >= count) {
            let exit_code = if hook_failed { 2 } else { seen.exit_code() };
            return Ok(Done { stdout: String::new(), exit_code });
        }
        std::thread::sleep(args.interval.duration().saturating_sub(begun.elapsed()));
    }
}

/// One check, whatever comes of it.
pub(super) fn look(trust: &Trust, server: &Server) -> Seen {
    let looked = || -> Result<Report> {
        let judging = Prepared::read(trust, true)?.and_from(server)?;
        Ok(judging.judge(session::converse(server)?)?.1)
    };
    match looked() {
        Ok(report) => from_report(report),
        Err(Error { blame: Blame::Host, what, .. }) => Seen::Unreachable(what),
        Err(error) => Seen::CouldNotJudge(error.what),
    }
}

pub(super) fn from_report(report: Report) -> Seen {
    let of = |status| move |check: &&crate::outcome::CheckReport| check.status == status;
    match (report.verdict, report.keys) {
        (Verdict::Accepted, Some(keys)) => Seen::Accepted(keys),
        (Verdict::CouldNotJudge, _) => {
            let skipped: Vec<&str> = report.checks.iter().filter(of(Status::Skipped)).map(|check| check.code).collect();
            Seen::CouldNotJudge(format!("skipped: {}", skipped.join(", ")))
        }
        _ => {
            let failed = report.checks.iter().filter(of(Status::Failed));
            Seen::Rejected(failed.map(|check| format!("{} {}", check.code, check.reason.unwrap_or("failed"))).collect())
        }
    }
}

fn say(args: &Watch, server: &Server, event: &Event, seen: &Seen) -> Result<()> {
    let at = timestamp(now()?.as_secs());
    let line = if args.json {
        let mut value = json!({ "v": 1, "at": at, "server": server.name(), "event": event.name() });
        event.describe(seen, &mut value);
        String::from_utf8_lossy(&to_canonical_json(&value)?).into_owned()
    } else {
        format!("{at} {} {}", event.name(), printable(&event.words(seen)))
    };
    print(&line)
}
