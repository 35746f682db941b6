//! One look at one server: asked, judged, and proposed for memory.

use super::grounds::Grounds;
use super::ledger::{Ledger, Proposal};
use super::track::Look;
use crate::case::{Case, Inputs};
use crate::clock::now;
use crate::commands::judging::{activated, seen_record};
use crate::commands::watch::{from_report, state::Seen};
use crate::demands::Demands;
use crate::exchange::Exchange;
use crate::memory::{Book, Memory, Off};
use crate::outcome::Status;
use crate::report::{judge_with, Report};
use crate::server::Server;
use crate::session;
use crate::verdict::Verdict;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::Agent;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Blame, Error, Result};

/// What a worker is given.
pub struct Job {
    pub index: usize,
    pub url: String,
    pub timeout: Duration,
    pub grounds: Arc<Grounds>,
}

/// What all workers share.
pub struct Shared {
    pub agent: Agent,
    pub ledger: Option<Ledger>,
    /// Turns at judging: as many as there are processors. Evidence of 4 MiB takes several times that while it is read.
    pub turns: Turns,
}

/// A look that has ended, or one that counts once it is remembered.
pub enum Ended {
    Seen(Look),
    Proposed(Look, Box<Proposal>),
}

/// One look, whatever comes of it.
pub fn look(job: &Job, shared: &Shared) -> Ended {
    let begun = Instant::now();
    let looked = attempt(job, shared);
    let milliseconds = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    let at = now().map_or(0, |now| now.as_secs());
    let look = |seen| Look { seen, at, milliseconds };
    match looked {
        Ok((seen, Some(proposal))) => Ended::Proposed(look(seen), Box::new(proposal)),
        Ok((seen, None)) => Ended::Seen(look(seen)),
        Err(error) => {
            // the server's name and address stand beside it
            let what =
                error.what.strip_prefix(job.url.trim_end_matches('/')).unwrap_or(&error.what).trim_start().to_owned();
            Ended::Seen(look(failed(Error { what, ..error })))
        }
    }
}

/// What an error says of a server. Its text can be the server's, so it is made safe and short.
pub fn failed(Error { blame, what, .. }: Error) -> Seen {
    match blame {
        Blame::Host => Seen::Unreachable(printable(&what)),
        _ => Seen::CouldNotJudge(printable(&what)),
    }
}

fn attempt(job: &Job, shared: &Shared) -> Result<(Seen, Option<Proposal>)> {
    // as it was before the server was asked
    let before = shared.ledger.as_ref().map(Ledger::book);
    let exchange = session::converse(&Server::over(&shared.agent, &job.url, job.timeout)?)?;
    let _turn = shared.turns.take();
    let known = shared.ledger.as_ref().map(Ledger::book);
    let (case, report) = judge(exchange, &job.grounds, before.zip(known.clone()))?;
    let proposal = match &known {
        Some(book) if report.verdict == Verdict::Accepted && activated(&report) => Some(propose(&case, book)?),
        _ => None,
    };
    Ok((from_report(report), proposal))
}

fn propose(case: &Case, book: &Book) -> Result<Proposal> {
    let (server, seen) = seen_record(case)?;
    Ok(Proposal { server, base: book.get(&server).cloned(), seen, log: case.log_seen() })
}

/// By each statement until one fits; else by the one that least is wrong with.
///
/// # Errors
/// When there is no statement, or the clock is wrong.
pub fn judge(exchange: Exchange, grounds: &Grounds, books: Option<(Arc<Book>, Arc<Book>)>) -> Result<(Case, Report)> {
    let now = now()?.as_secs();
    let mut best: Option<(usize, (Case, Report))> = None;
    for promise in &grounds.promises {
        let memory = match &books {
            Some((before, now)) => Memory::Kept { before: before.clone(), now: now.clone() },
            None => Memory::Off(Off::Declined),
        };
        let (promise, roots, exchange) = (promise.clone(), grounds.roots.clone(), exchange.clone());
        let (policy, published) = (grounds.policy.clone(), grounds.published.clone());
        let demands = Demands { memory, policy, published, ..Demands::at(grounds.level) };
        let judged = judge_with(Inputs { exchange, promise, roots, now }, demands);
        let wrong = judged.1.checks.iter().filter(|check| check.status == Status::Failed).count();
        let accepted = judged.1.verdict == Verdict::Accepted;
        if best.as_ref().is_none_or(|(least, _)| accepted || wrong < *least) {
            best = Some((wrong, judged));
        }
        if accepted {
            break;
        }
    }
    best.map(|(_, judged)| judged).ok_or_else(|| Error::bug("a server without a statement is watched"))
}

/// A number of turns; whoever finds none waits.
pub struct Turns {
    free: Mutex<usize>,
    returned: Condvar,
}

pub struct Turn<'t>(&'t Turns);

impl Turns {
    pub fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), returned: Condvar::new() }
    }

    fn take(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.returned.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
