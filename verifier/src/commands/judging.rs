//! From an exchange to a report, with what is remembered before and afterwards: the way of every command that checks.

use super::trust::{level, nothing_beside_a_bundle, Files, Papers, Trusted};
use crate::case::Case;
use crate::checks::ACTIVATION;
use crate::cli::Trust;
use crate::demands::Demands;
use crate::exchange::Exchange;
use crate::memory::{place, Book, Kept, Locked, Memory, Off, Record, ServerId, Store};
use crate::outcome::Status;
use crate::policy::LogPolicy;
use crate::published::{rebuilds_among, Published};
use crate::report::{judge_with, Report};
use crate::server::Server;
use crate::session;
use crate::verdict::Verdict;
use std::sync::Arc;
use vitrine_attest::{Error, Result};

/// Everything that a person gives, read before the server is asked: a state file that cannot be used costs no conversation, and
/// what it held then must lie behind whatever the server answers.
pub struct Prepared {
    files: Files,
    memory: Remembered,
    /// The level, and what others have published.
    demands: Demands,
}

impl Prepared {
    /// `live`: a server will be asked. Files are compared only when the person names a state file.
    ///
    /// # Errors
    /// When a file of the person's cannot be used.
    pub fn read(args: &Trust, live: bool) -> Result<Self> {
        let files = Files::read(args)?;
        let level = level(files.policy(), args.accept_level)?;
        let memory = match &args.state {
            _ if args.no_state => Remembered::Off(Off::Declined),
            None if !live => Remembered::Off(Off::FromFile),
            named => {
                let store = Store::at(&place(named.as_deref())?)?;
                let before = store.lock()?.read_after(&Kept::default())?;
                Remembered::In(store, before)
            }
        };
        let published = Published::read(&args.revocation, &args.rebuild_verdict)?;
        Ok(Self { files, memory, demands: Demands { published, ..Demands::at(level) } })
    }

    /// By these files alone.
    ///
    /// # Errors
    /// When there is no statement among them.
    pub fn alone(self) -> Result<Judging> {
        Ok(Judging { trusted: self.files.alone()?, memory: self.memory, demands: self.demands })
    }

    /// What is lacking comes from the server itself, before it is asked for evidence.
    ///
    /// # Errors
    /// When it cannot be asked, or nobody has a statement.
    pub fn and_from(mut self, server: &Server) -> Result<Judging> {
        let wants_rebuilds = self.files.policy().rebuild.is_some() && self.demands.published.rebuilds.is_none();
        if !self.files.lack_something() && !wants_rebuilds {
            return self.alone();
        }
        let handed = session::attachments(server)?;
        if let Some(handed) = handed.as_ref().filter(|_| wants_rebuilds) {
            self.demands.published.rebuilds = rebuilds_among(&handed.others);
        }
        let trusted = self.files.and_from(server.name(), handed.as_ref())?;
        Ok(Judging { trusted, memory: self.memory, demands: self.demands })
    }
}

/// What a server or a file is judged by, complete.
pub struct Judging {
    trusted: Trusted,
    memory: Remembered,
    /// The level, and what the processor says.
    demands: Demands,
}

enum Remembered {
    Off(Off),
    In(Store, Kept),
}

impl Judging {
    /// By the person's files alone.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn begin(args: &Trust, live: bool) -> Result<Self> {
        Prepared::read(args, live)?.alone()
    }

    /// For a file, with statement and proof from a bundle.
    ///
    /// # Errors
    /// As there.
    pub fn begin_bundle(args: &Trust, papers: &Papers) -> Result<Self> {
        nothing_beside_a_bundle(args)?;
        let Prepared { files, memory, demands } = Prepared::read(args, false)?;
        Ok(Self { trusted: files.with(papers)?, memory, demands })
    }

    /// Which logs and witnesses count, if the person said so.
    pub fn log_policy(&self) -> Option<&LogPolicy> {
        self.trusted.policy().log.as_ref()
    }

    /// With a processor's report beside the evidence.
    #[cfg(feature = "cpu-evidence")]
    pub fn with_cpu(mut self, cpu: Option<crate::cpu::CpuDemands>) -> Self {
        self.demands.cpu = cpu;
        self
    }

    /// Runs every check, and remembers a server that was accepted before anybody is told so.
    ///
    /// # Errors
    /// When the state file cannot be read or replaced: then nothing is accepted.
    pub fn judge(self, exchange: Exchange) -> Result<(Case, Report)> {
        let policy = self.trusted.policy().clone();
        let demands = |memory| Demands { memory, policy, ..self.demands };
        let inputs = self.trusted.inputs(exchange)?;
        match self.memory {
            Remembered::Off(why) => Ok(judge_with(inputs, demands(Memory::Off(why)))),
            Remembered::In(store, before) => {
                // nobody else judges by this file until what we find stands in it
                let locked = store.lock()?;
                let now = locked.read_after(&before)?.book;
                // a beacon was made whenever it was made, maybe before what is remembered
                let before = if inputs.exchange.beacon.is_some() { Arc::default() } else { before.book };
                let memory = Memory::Kept { before, now: now.clone() };
                let (case, report) = judge_with(inputs, demands(memory));
                if report.verdict == Verdict::Accepted && activated(&report) {
                    remember(&locked, now, &case)?;
                }
                Ok((case, report))
            }
        }
    }
}

/// Without it, anybody could speak in the name of another's endorsement key, and push its counters forward.
pub fn activated(report: &Report) -> bool {
    report.checks.iter().any(|check| check.code == ACTIVATION && check.status == Status::Passed)
}

/// What an accepted server said, and under which name it is remembered.
///
/// # Errors
/// Never for a server that was accepted.
pub fn seen_record(case: &Case) -> Result<(ServerId, Record)> {
    let unreadable = |_| Error::bug("a server was accepted whose evidence cannot be read");
    let server = case.server_id().map_err(unreadable)?;
    let seen = Record {
        first_seen: case.inputs.now,
        last_seen: case.inputs.now,
        address: case.inputs.exchange.source.name().into(),
        boot: case.boot().map_err(unreadable)?,
        release: case.release_seen().map_err(unreadable)?,
    };
    Ok((server, seen))
}

fn remember(locked: &Locked<'_>, mut book: Arc<Book>, case: &Case) -> Result<()> {
    let (server, seen) = seen_record(case)?;
    let book = Arc::make_mut(&mut book);
    book.servers.entry(server).and_modify(|record| record.follow(&seen)).or_insert(seen);
    book.see(case.log_seen());
    let unwritten = "the server passed all checks and is not accepted, because that cannot be remembered";
    locked.write(book).map_err(|e| Error::input(format!("{unwritten}: {}", e.what), e.hint))
}
