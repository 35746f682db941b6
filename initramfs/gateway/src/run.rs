//! The life of the gateway: prepare, seal, answer, end with init.

use crate::client::{self, listen};
use crate::forward::Service;
use crate::limits;
use crate::stop::{OrStop as _, Step};
use crate::workers::{self, Workers};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream as InitSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, UnixStream};
use tokio::time::{interval, timeout};
use tokio_rustls::TlsAcceptor;
use vitrine_attest::config::{Gateway, Limits, Span};
use vitrine_attest::inside::{FromGateway, GatewayStart};

/// Runs until init has gone or says anything. `seal` is called when everything is open, before there are other threads and before
/// the first packet is read.
///
/// # Errors
/// A fixed code: nothing was answered.
pub fn run(init: InitSocket, start: GatewayStart, seal: impl FnOnce(&GatewayStart) -> Step) -> Step {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(limits::THREADS);
    let service = Arc::new(Service::new(&start.gateway)?);
    let services: Vec<_> =
        std::iter::once(service.clone()).chain((1..threads).map(|_| Arc::new(service.beside()))).collect();
    let acceptor = TlsAcceptor::from(client::config(&start.tls_key, &start.addresses, &[b"h2", b"http/1.1"])?);
    let listener = listen::everywhere(start.gateway.port)?;
    descriptors(&start.gateway.limits)?;
    init.set_nonblocking(true).or_stop("init-socket")?;
    seal(&start)?;
    let quiet = Quiet { after: start.quiet_after.map(Span::duration), told: 0, since: None };
    // the key is with rustls now
    drop(start);
    vitrine_wiping::stack();
    let workers = Workers::start(&services, &acceptor)?;
    workers::event_loop()?.block_on(async {
        let listener = TcpListener::from_std(listener).or_stop("listen")?;
        let init = UnixStream::from_std(init).or_stop("init-socket")?;
        let workers = Arc::new(workers);
        tokio::spawn(client::accept(listener, workers.clone(), service.limits.connections));
        watch(init, &services, &workers, quiet).await;
        Ok(())
    })
}

/// Ports of upstreams, each once.
pub fn upstream_ports(gateway: &Gateway) -> Vec<u16> {
    let addresses = gateway.upstreams.values().flat_map(|upstream| &upstream.addresses);
    addresses.map(std::net::SocketAddr::port).collect::<BTreeSet<u16>>().into_iter().collect()
}

/// As many descriptors as the limits may need: each request has a connection to its upstream. Where init allows fewer, the last ones
/// are refused by the kernel, as if the limits were lower.
fn descriptors(limits: &Limits) -> Step {
    let spare = (limits::SPARE * limits::THREADS) as u64;
    let need = u64::from(limits.connections) + u64::from(limits.requests) + spare + limits::DESCRIPTORS;
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let both = Rlimit { current: Some(need), maximum: Some(hard.max(need)) };
    let allowed = Rlimit { current: Some(need.min(hard)), maximum: now.maximum };
    setrlimit(Resource::Nofile, both).or_else(|_| setrlimit(Resource::Nofile, allowed)).or_stop("descriptors")
}

/// Tells init the counts, ends connections that nobody needs, and waits for the end.
async fn watch(mut init: UnixStream, services: &[Arc<Service>], workers: &Workers, mut quiet: Quiet) {
    // they share what is asked here
    let Some(service) = services.first() else { return };
    let mut tick = interval(limits::INIT);
    let mut report = Report { told: 0, last: None };
    let mut swept = Instant::now();
    let mut crowd = Crowd::default();
    let mut byte = [0];
    loop {
        tick.tick().await;
        // end of file, or anything else: init does not mean us any more
        if !matches!(init.try_read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock) {
            return;
        }
        if swept.elapsed() >= limits::TICK {
            services.iter().for_each(|service| service.sweep());
            if crowd.has_gone(workers.connections()) {
                vitrine_wiping::give_back();
            }
            swept = Instant::now();
        }
        for message in [report.due(service), quiet.due(service)].into_iter().flatten() {
            let Some(line) = line(&message) else { continue };
            if !matches!(timeout(limits::FAREWELL, init.write_all(&line)).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// Most connections since memory was last given back.
#[derive(Default)]
struct Crowd(usize);

impl Crowd {
    /// Half of them or more, so that it is worth the while.
    fn has_gone(&mut self, now: usize) -> bool {
        self.0 = self.0.max(now);
        let gone = now <= self.0 / 2 && self.0 - now >= limits::CROWD;
        if gone {
            self.0 = now;
        }
        gone
    }
}

struct Report {
    told: u64,
    last: Option<Instant>,
}

impl Report {
    /// What to say, when something has changed and the last line is old enough.
    fn due(&mut self, service: &Service) -> Option<FromGateway> {
        if self.last.is_some_and(|last| last.elapsed() < limits::REPORT) {
            return None;
        }
        let sum = service.counts.sum();
        if sum == self.told {
            return None;
        }
        (self.told, self.last) = (sum, Some(Instant::now()));
        Some(service.counts.message())
    }
}

/// A moment without requests after there were some.
struct Quiet {
    /// None: nobody wants to know.
    after: Option<Duration>,
    /// Requests that were over when it was last said.
    told: u64,
    /// No request is being answered.
    since: Option<Instant>,
}

impl Quiet {
    fn due(&mut self, service: &Service) -> Option<FromGateway> {
        let after = self.after?;
        let sum = service.counts.sum();
        if service.busy() || sum == self.told {
            self.since = None;
            return None;
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() < after {
            return None;
        }
        (self.told, self.since) = (sum, None);
        Some(FromGateway::Quiet(true))
    }
}

fn line(message: &FromGateway) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(message).ok()?;
    line.push(b'\n');
    Some(line)
}
