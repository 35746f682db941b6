//! `vitrine-verify monitor`

mod entries;
mod ledger;
mod log;
mod metrics;
mod page;
mod servers;

use super::fleet::signals;
use super::{print, Done};
use crate::beacon;
use crate::cli::{AckAlert, JudgeEvidence, Monitor, MonitorAction, RunMonitor};
use crate::clock::{now, timestamp};
use crate::files;
use crate::monitor::{self, acknowledge, Config, Evidence, Judged, Store, Watched, EVIDENCE_LIMIT};
use crate::server;
use ledger::Ledger;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use ureq::Agent;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

/// Longest time without a look at signals.
const TICK: Duration = Duration::from_millis(200);

pub fn run(args: &Monitor) -> Result<Done> {
    match &args.action {
        MonitorAction::Run(args) => follow(args),
        MonitorAction::Ack(args) => ack(args),
        MonitorAction::Evidence(args) => judge(args),
    }
}

fn ack(args: &AckAlert) -> Result<Done> {
    args.ids.iter().try_for_each(|id| acknowledge(&args.state, id))?;
    Ok(Done::ok(format!("{} acknowledged; a monitor that runs sees it in its next round\n", args.ids.join(", "))))
}

fn judge(args: &JudgeEvidence) -> Result<Done> {
    let mut keys = vec![];
    for path in &args.key {
        keys.extend(beacon::keys(&files::read(path, beacon::KEYS_FILE_LIMIT)?).map_err(|e| e.within(path.display()))?);
    }
    let unusable = |why: String| {
        Error::input(format!("{}: {why}", args.file.display()), "give a file that `vitrine-verify monitor` has kept")
    };
    let evidence = Evidence::from_file(&files::read(&args.file, EVIDENCE_LIMIT)?).map_err(unusable)?;
    let title = format!("{} about {}", evidence.kind.word(), printable(&evidence.about));
    let (exit_code, verdict, words) = match evidence.judge(&keys) {
        Ok(Judged::Proven(words)) => (0, "PROVEN", words),
        Ok(Judged::Told(words)) => (2, "NOT PROVEN BY ITSELF", words),
        Err(why) => (1, "DOES NOT HOLD", why),
    };
    let words: String = words.lines().map(|line| format!("  {}\n", printable(line))).collect();
    Ok(Done { stdout: format!("{verdict}: {title}\n{words}"), exit_code })
}

fn follow(args: &RunMonitor) -> Result<Done> {
    let config = monitor::read(&args.file)?;
    let watched = config.logs.iter().map(Watched::open).collect::<Result<Vec<_>>>()?;
    let servers = servers::Servers::open(&config, &watched)?;
    let folder = args.state.as_ref().or(config.state.as_ref()).ok_or_else(|| {
        Error::input("nobody said where the monitor remembers", "write `state = \"…\"` into the file, or give --state")
    })?;
    let store = Store::open(folder)?;
    let evidence = args.evidence.clone().unwrap_or_else(|| store.folder().join("evidence"));
    let ledger = Ledger::open(store, evidence, args.json)?;
    let mut round = Round {
        args,
        config,
        watched,
        servers,
        ledger,
        agent: server::agent(),
        troubles: BTreeMap::new(),
        told: BTreeMap::new(),
    };
    let stop = signals()?;
    round.until(&stop)?;
    Ok(Done { stdout: String::new(), exit_code: round.exit_code() })
}

/// What goes on from round to round.
struct Round<'a> {
    args: &'a RunMonitor,
    config: Config,
    watched: Vec<Watched>,
    servers: servers::Servers,
    ledger: Ledger,
    agent: Agent,
    /// Of this round: what could not be looked at, and why.
    troubles: BTreeMap<String, String>,
    /// Of the round before: told already.
    told: BTreeMap<String, String>,
}

impl Round<'_> {
    fn until(&mut self, stop: &AtomicBool) -> Result<()> {
        let every = self.args.every.unwrap_or(self.config.every).duration();
        loop {
            let begun = Instant::now();
            self.once(stop)?;
            while !self.args.once && !stop.load(Ordering::Relaxed) && begun.elapsed() < every {
                std::thread::sleep(TICK.min(every.saturating_sub(begun.elapsed())));
            }
            if self.args.once || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn once(&mut self, stop: &AtomicBool) -> Result<()> {
        self.ledger.take_note()?;
        self.told = std::mem::take(&mut self.troubles);
        for n in 0..self.watched.len() {
            self.log(n, stop)?;
            self.publish()?;
        }
        for n in 0..self.config.servers.len() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.server(n)?;
        }
        self.ledger.write()?;
        self.recovered()?;
        self.publish()
    }

    /// Something could not be looked at: said once, until it can be.
    fn trouble(&mut self, about: &str, why: &str) -> Result<()> {
        let (about, why) = (printable(about), monitor::short(why));
        if !self.told.contains_key(&about) && !self.troubles.contains_key(&about) {
            say(self.args.json, json!({"about": about, "event": "trouble", "why": why}))?;
        }
        self.troubles.insert(about, why);
        Ok(())
    }

    fn recovered(&mut self) -> Result<()> {
        for about in self.told.keys().filter(|about| !self.troubles.contains_key(*about)) {
            say(self.args.json, json!({"about": about, "event": "recovered"}))?;
        }
        Ok(())
    }

    /// Metrics and page. A full disk is no reason to stop looking.
    fn publish(&self) -> Result<()> {
        let view = page::View {
            state: self.ledger.state(),
            watched: &self.watched,
            troubles: &self.troubles,
            now: now()?.as_secs(),
        };
        let write = |path: &Option<std::path::PathBuf>, text: &dyn Fn() -> String, hint: &str| {
            if let Some(Err(error)) = path.as_ref().map(|path| files::publish(path, text().as_bytes(), hint)) {
                eprintln!("{error}");
            }
        };
        write(&self.args.metrics, &|| metrics::text(&view), "choose another place with --metrics");
        write(&self.args.html, &|| page::html(&view), "choose another place with --html");
        Ok(())
    }

    fn exit_code(&self) -> u8 {
        match (self.ledger.count() > 0, self.troubles.is_empty()) {
            (true, _) => 1,
            (false, false) => 2,
            (false, true) => 0,
        }
    }
}

/// One line: JSON, or its fields for people.
fn say(as_json: bool, mut value: Value) -> Result<()> {
    let at = timestamp(now()?.as_secs());
    if as_json {
        value["v"] = 1.into();
        value["at"] = at.into();
        return print(&String::from_utf8_lossy(&to_canonical_json(&value)?));
    }
    let field = |name: &str| value[name].as_str().map(printable);
    let words = ["about", "kind", "what", "why"].into_iter().filter_map(field).collect::<Vec<_>>().join(" ");
    let more = ["id", "evidence", "advice"].into_iter().filter_map(|name| Some(format!(" [{name}: {}]", field(name)?)));
    print(&format!("{at} {} {words}{}", field("event").unwrap_or_default(), more.collect::<String>()))
}
