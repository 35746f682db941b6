//! The life of the resolver: prepare, seal, answer, forget.

use crate::blocklist::Blocklist;
use crate::limits;
use crate::server::{self, Listeners, Ports};
use crate::service::Service;
use crate::stop::{OrStop as _, Step};
use crate::upstream::Upstream;
use std::fs::File;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::task::LocalSet;
use vitrine_attest::inside::{FromResolver, ResolverStart};

/// Where it listens, and where authorities do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub ports: Ports,
    /// 53 outside of tests.
    pub authorities: u16,
}

impl Place {
    pub const STANDARD: Self = Self { ports: Ports::STANDARD, authorities: 53 };
}

/// Why it ended well; the process ends with 0 for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Init has gone or said something that was not expected.
    Init,
    /// Nobody asks any more: every name in memory goes.
    Forgotten,
}

/// A moment at which the counter, the cache and the time since the last question are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Runs on this thread until an [`End`]. `seal` is called when all files and listening sockets are open, before the
/// first packet is read.
///
/// # Errors
/// A fixed code: nothing was answered.
pub fn run(
    init: std::os::unix::net::UnixStream,
    start: ResolverStart,
    blocklist: impl FnOnce() -> Option<File>,
    place: Place,
    seal: impl FnOnce(&ResolverStart) -> Step,
) -> Step<End> {
    let blocklist = match start.resolver.blocklist {
        Some(digest) => Blocklist::read(blocklist().or_stop("blocklist-missing")?, digest)?,
        None => Blocklist::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_stop("runtime")?;
    LocalSet::new().block_on(&runtime, async {
        init.set_nonblocking(true).or_stop("init-socket")?;
        let init = UnixStream::from_std(init).or_stop("init-socket")?;
        let upstream = Upstream::new(&start.resolver, place.authorities)?;
        let service = Service::new(&start.resolver.cache, blocklist, upstream);
        let listeners = Listeners::bind(&start, place.ports)?;
        seal(&start)?;
        let forget_after = start.resolver.forget_after.duration();
        // the key is with rustls now
        drop(start);
        server::start(listeners, &service);
        Ok(watch(init, service, forget_after).await)
    })
}

/// Tells init the counter, keeps time, and waits for the end.
async fn watch(mut init: UnixStream, service: Rc<Service>, forget_after: Duration) -> End {
    let mut tick = tokio::time::interval(TICK);
    let mut report = Report { told: 0, last: None };
    let mut swept = Instant::now();
    let mut byte = [0];
    loop {
        tick.tick().await;
        // end of file, or anything else: init does not mean us any more
        if !matches!(init.try_read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock) {
            return End::Init;
        }
        if swept.elapsed() >= limits::SWEEP {
            service.sweep();
            swept = Instant::now();
        }
        if let Some(line) = report.due(service.blocked()) {
            if !matches!(tokio::time::timeout(TICK, init.write_all(&line)).await, Ok(Ok(()))) {
                return End::Init;
            }
        }
        if service.may_forget(forget_after) {
            return End::Forgotten;
        }
    }
}

struct Report {
    told: u64,
    last: Option<Instant>,
}

impl Report {
    /// The line to send, when the counter has changed and the last line is old enough.
    fn due(&mut self, blocked: u64) -> Option<Vec<u8>> {
        if blocked == self.told || self.last.is_some_and(|last| last.elapsed() < limits::REPORT) {
            return None;
        }
        self.told = blocked;
        self.last = Some(Instant::now());
        let mut line = serde_json::to_vec(&FromResolver::Blocked(blocked)).ok()?;
        line.push(b'\n');
        Some(line)
    }
}
