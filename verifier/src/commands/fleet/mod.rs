//! `vitrine-verify watch FLEET.toml`: thousands of servers side by side, one line for each change.
//!
//! One thread decides who is asked when and says what has changed; a bounded number of workers asks and judges; one thread
//! writes what is remembered. Of a server that is not being asked, a few hundred bytes are kept.

mod grounds;
mod ledger;
mod metrics;
mod page;
mod schedule;
mod settling;
mod track;
mod view;
mod worker;

pub(super) use grounds::Grounds;
pub(super) use page::{ago, escape, time};
pub(super) use worker::judge as judge_by;

use super::{print, Done};
use crate::cli::Watch;
use crate::clock::{now, timestamp};
use crate::fleet::{self, Fleet, Place};
use crate::{files, server};
use grounds::{Library, Reread};
use ledger::Ledger;
use metrics::Durations;
use schedule::{pause, Schedule};
use serde_json::{json, Value};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use track::{Look, State, Track};
use view::View;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};
use worker::{Ended, Job, Shared, Turns};

/// Longest time without a look at signals, files and the clock.
const TICK: Duration = Duration::from_millis(200);
/// Between two looks at the files that servers are judged by.
const REREAD: Duration = Duration::from_secs(5);
/// Between two replacements of the metrics and of the page.
const PUBLISH: Duration = Duration::from_secs(10);
/// For what workers have proposed when the program ends.
const FLUSH: Duration = Duration::from_secs(30);
/// Bytes of stack of a worker: JSON of the deepest nesting that is read takes a tenth.
const STACK: usize = 1 << 20;

/// From workers and from the thread that writes.
pub enum Told {
    /// A worker is free, and this is what it has seen.
    Seen(usize, Look),
    /// A worker is free; what it has seen counts once it is remembered.
    Proposed,
    Settled(usize, Look),
    /// Another program was faster: look again.
    Overtaken(usize),
}

/// Returns after one round (`--once`), at SIGTERM or SIGINT, or when a line cannot be written.
///
/// # Errors
/// When a file of the person's cannot be used at the beginning, or nobody reads what is said.
pub fn run(args: &Watch, file: &Path) -> Result<Done> {
    let fleet = Arc::new(fleet::read(file)?);
    let library = Library::read(&fleet.sources)?;
    let ledger = match &fleet.memory {
        Place::Off => None,
        Place::Default => Some(Ledger::open(None)?),
        Place::Named(path) => Some(Ledger::open(Some(path))?),
    };
    let stop = signals()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shared = Arc::new(Shared { agent: server::agent(), ledger, turns: Turns::new(cores) });
    let crew = Crew::start(fleet.concurrency, &shared)?;
    let mut watch = Watching::new(args, fleet, library, crew);
    watch.publish()?;
    watch.until(&stop)?;
    Ok(Done { stdout: String::new(), exit_code: watch.exit_code() })
}

/// Set by SIGTERM and SIGINT; a second one ends the program at once.
pub(super) fn signals() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 2, flag.clone())
            .and_then(|_| signal_hook::flag::register(signal, flag.clone()))
            .map_err(|e| Error::host(format!("signal {signal} cannot be caught: {e}"), ""))?;
    }
    Ok(flag)
}

/// The threads, and the ways to them.
struct Crew {
    jobs: Sender<Job>,
    told: Receiver<Told>,
    proposals: Sender<settling::Message>,
    /// Workers without a job.
    free: usize,
}

impl Crew {
    fn start(workers: usize, shared: &Arc<Shared>) -> Result<Self> {
        let ((jobs, taken), (tell, told), (proposals, proposed)) = (channel::<Job>(), channel(), channel());
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..workers {
            let (taken, shared, tell, propose) = (taken.clone(), shared.clone(), tell.clone(), proposals.clone());
            spawn(move || work(&taken, &shared, &tell, &propose))?;
        }
        let shared = shared.clone();
        spawn(move || settling::run(&shared, &proposed, &tell))?;
        Ok(Self { jobs, told, proposals, free: workers })
    }

    /// Waits until everything that was proposed before stands in the file.
    fn flush(&self) {
        let (answer, answered) = channel();
        if self.proposals.send(settling::Message::Flush(answer)).is_ok() {
            let _ = answered.recv_timeout(FLUSH);
        }
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().stack_size(STACK).spawn(run);
    spawned.map(drop).map_err(|e| Error::host(format!("no thread: {e}"), "give a smaller `concurrency`"))
}

/// A worker's life: it ends when there are no jobs any more, or nobody to tell.
fn work(jobs: &Mutex<Receiver<Job>>, shared: &Shared, tell: &Sender<Told>, propose: &Sender<settling::Message>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let ended = match worker::look(&job, shared) {
            Ended::Seen(look) => Told::Seen(job.index, look),
            Ended::Proposed(look, proposal) => {
                let _ = propose.send(settling::Message::Propose(job.index, look, proposal));
                Told::Proposed
            }
        };
        if tell.send(ended).is_err() {
            return;
        }
    }
}

struct Watching<'a> {
    args: &'a Watch,
    fleet: Arc<Fleet>,
    library: Library,
    crew: Crew,
    tracks: Vec<Track>,
    schedule: Schedule,
    /// When the look that goes on, or was the last, began.
    begun: Vec<Instant>,
    durations: Durations,
    /// Servers whose first look has not ended.
    waiting: usize,
    started: u64,
}

impl<'a> Watching<'a> {
    fn new(args: &'a Watch, fleet: Arc<Fleet>, library: Library, crew: Crew) -> Self {
        let (count, now_) = (fleet.members.len(), Instant::now());
        let mut schedule = Schedule::default();
        (0..count).for_each(|server| schedule.add(server, now_));
        Self {
            args,
            library,
            crew,
            tracks: (0..count).map(|_| Track::default()).collect(),
            schedule,
            begun: vec![now_; count],
            durations: Durations::default(),
            waiting: count,
            started: now().map_or(0, |now| now.as_secs()),
            fleet,
        }
    }

    fn until(&mut self, stop: &AtomicBool) -> Result<()> {
        let (mut reread, mut published) = (Instant::now(), Instant::now());
        while !(stop.load(Ordering::Relaxed) || self.args.once && self.waiting == 0) {
            self.dispatch();
            let wait = self.schedule.next().map_or(TICK, |due| due.saturating_duration_since(Instant::now()));
            let wait = if self.crew.free == 0 { TICK } else { wait.min(TICK) };
            if let Ok(told) = self.crew.told.recv_timeout(wait) {
                self.take(told)?;
            }
            while let Ok(told) = self.crew.told.try_recv() {
                self.take(told)?;
            }
            if reread.elapsed() >= REREAD {
                self.reread()?;
                reread = Instant::now();
            }
            if published.elapsed() >= PUBLISH {
                self.publish_or_say();
                published = Instant::now();
            }
        }
        self.crew.flush();
        while let Ok(told) = self.crew.told.try_recv() {
            self.take(told)?;
        }
        self.publish()
    }

    /// Gives due servers to free workers.
    fn dispatch(&mut self) {
        let now = Instant::now();
        while self.crew.free > 0 {
            let Some((index, _)) = self.schedule.due(now) else { return };
            let member = &self.fleet.members[index];
            self.begun[index] = now;
            let job = Job {
                index,
                url: member.url.clone(),
                timeout: member.timeout.duration(),
                grounds: self.library.get(member.sources),
            };
            if self.crew.jobs.send(job).is_ok() {
                self.crew.free -= 1;
            }
        }
    }

    fn take(&mut self, told: Told) -> Result<()> {
        match told {
            Told::Seen(index, look) => {
                self.crew.free += 1;
                self.seen(index, look)
            }
            Told::Proposed => {
                self.crew.free += 1;
                Ok(())
            }
            Told::Settled(index, look) => self.seen(index, look),
            Told::Overtaken(index) => {
                self.schedule.add(index, Instant::now());
                Ok(())
            }
        }
    }

    /// The look at one server has ended.
    fn seen(&mut self, index: usize, look: Look) -> Result<()> {
        let member = &self.fleet.members[index];
        let track = &mut self.tracks[index];
        self.waiting -= usize::from(track.state() == State::Waiting);
        self.durations.add(look.milliseconds);
        let at = look.at;
        let event = track.take(look);
        // without random numbers there is no jitter, and nothing else is lost
        let random = server::random().map_or(0, |bytes| bytes[..8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
        self.schedule.add(index, self.begun[index] + pause(member.interval, track.silent, random));
        let Some(event) = event else { return Ok(()) };
        if self.args.json {
            let mut value = json!({ "v": 1, "at": timestamp(at), "server": member.name, "url": member.url });
            value["event"] = event.name().into();
            track.describe(&mut value);
            return print_json(&value);
        }
        let words = printable(&track.words());
        print(&format!("{} {} {} {words}", timestamp(at), member.name, event.name()))
    }

    fn reread(&mut self) -> Result<()> {
        for told in self.library.refresh() {
            let at = timestamp(now()?.as_secs());
            let (event, words) = match told {
                Reread::Taken(path) => ("files-changed", format!("{} and what belongs to it", path.display())),
                Reread::Refused(error) => ("files-refused", format!("{}; what was read before counts on", error.what)),
            };
            if self.args.json {
                print_json(&json!({ "v": 1, "at": at, "event": event, "why": printable(&words) }))?;
            } else {
                print(&format!("{at} * {event} {}", printable(&words)))?;
            }
        }
        Ok(())
    }

    fn view(&self) -> View<'_> {
        let now = now().map_or(self.started, |now| now.as_secs());
        View { fleet: &self.fleet, tracks: &self.tracks, durations: &self.durations, now, started: self.started }
    }

    /// Metrics and page, each replaced as a whole.
    fn publish(&self) -> Result<()> {
        if let Some(path) = &self.args.metrics {
            files::publish(path, metrics::text(&self.view()).as_bytes(), "choose another place with --metrics")?;
        }
        if let Some(path) = &self.args.html {
            files::publish(path, page::html(&self.view()).as_bytes(), "choose another place with --html")?;
        }
        Ok(())
    }

    /// A full disk is no reason to stop watching.
    fn publish_or_say(&self) {
        if let Err(error) = self.publish() {
            eprintln!("{error}");
        }
    }

    /// 0: all are accepted; 1: at least one is rejected; 2: at least one could not be judged.
    fn exit_code(&self) -> u8 {
        let any = |state| self.tracks.iter().any(|track| track.state() == state);
        match (any(State::Rejected), self.tracks.iter().all(|track| track.state() == State::Accepted)) {
            (true, _) => 1,
            (false, true) => 0,
            (false, false) => 2,
        }
    }
}

fn print_json(value: &Value) -> Result<()> {
    print(&String::from_utf8_lossy(&to_canonical_json(value)?))
}
