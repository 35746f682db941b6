//! `vitrine-verify proxy`: other programs' requests, only to a gateway that is accepted.

use super::accepted::{ask, Lacking};
use super::fetch::summary;
use super::watch::state::{Event, Seen, State};
use super::{print, watch, Done};
use crate::cli;
use crate::clock::{now, timestamp};
use crate::gateway::Address;
use crate::http_serve::{listen, signals};
use crate::proxy::{publisher, serve, uptime, Guard, Limits, Proxy, Publisher, Refusal};
use crate::runtime;
use crate::server::Server;
use serde_json::{json, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, sleep_until, Instant};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

/// Between two checks at least, whoever wants one: a TPM makes a few quotes a second, for everybody.
const LEAST: Duration = Duration::from_secs(2);
/// Until the next check of a server that is not accepted, at most.
const RETRY: Duration = Duration::from_secs(10);
/// One check asks so many times, and each answer may take `--timeout`.
const ANSWERS: u32 = 4;

pub fn run(args: cli::Proxy) -> Result<Done> {
    let gateway = gateway(&args.to)?;
    let loopback = args.listen.ip().is_loopback();
    if !loopback {
        let hint = "listen on 127.0.0.1 or [::1]: what the proxy passes on comes to it in clear";
        return Err(Error::input(format!("--listen {}: this is no loopback address", args.listen), hint));
    }
    let asked = uptime();
    let server = args.server.clone().unwrap_or_else(|| gateway.attestation());
    let accepted = match ask(&server, &args.trust, Lacking::AskServer, args.json)? {
        Ok(accepted) => accepted,
        Err(done) => return Ok(done),
    };
    eprint!("{}", summary(&accepted));
    let oldest = args.every.duration() + ANSWERS * Duration::from_secs(args.trust.timeout);
    let (publisher, standing) = publisher(accepted.keys.tls_spki, asked, oldest)?;
    let (listener, address) = listen(args.listen)?;
    let guard = Guard::new(address, args.origin.clone());
    let proxy = Arc::new(Proxy { gateway, guard, standing, limits: Limits::default() });
    let checker = Checker::new(args, accepted.server, publisher, Seen::Accepted(accepted.keys));
    run_until_a_signal(listener, address, proxy, checker)?;
    Ok(Done::ok(String::new()))
}

fn gateway(url: &str) -> Result<Address> {
    let address = Address::parse(url)?;
    if !address.is_bare() {
        return Err(Error::input(
            format!("--to {url}: a path stands in it"),
            "name host and port alone: clients name the path",
        ));
    }
    Ok(address)
}

fn run_until_a_signal(
    listener: std::net::TcpListener,
    address: SocketAddr,
    proxy: Arc<Proxy>,
    checker: Checker,
) -> Result<()> {
    let failed = |e: std::io::Error| Error::host(format!("cannot serve: {e}"), "try again");
    listener.set_nonblocking(true).map_err(failed)?;
    runtime::run(failed, async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let signals = signals()?;
        checker.ready(address, &proxy.gateway)?;
        tokio::select! {
            () = serve(listener, proxy, signals) => Ok(()),
            ended = checker.run() => ended,
        }
    })
}

/// Checks the server again and again, and tells of changes.
struct Checker {
    args: Arc<cli::Proxy>,
    server: Server,
    publisher: Publisher,
    state: State,
}

impl Checker {
    fn new(args: cli::Proxy, server: Server, publisher: Publisher, first: Seen) -> Self {
        let mut state = State::default();
        state.change(&first);
        Self { args: Arc::new(args), server, publisher, state }
    }

    /// Until a line cannot be written.
    async fn run(mut self) -> Result<()> {
        let mut last = Instant::now();
        loop {
            let every = self.args.every.duration();
            let pause = if self.publisher.is_accepted() { every } else { every.min(RETRY) };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.publisher.wanted() => {}
            }
            sleep_until(last + LEAST).await;
            self.check().await?;
            last = Instant::now();
        }
    }

    async fn check(&mut self) -> Result<()> {
        let asked = uptime();
        let (args, server) = (self.args.clone(), self.server.clone());
        let look = tokio::task::spawn_blocking(move || watch::look(&args.trust, &server));
        let seen = look.await.map_err(|_| Error::bug("a check has ended without a verdict"))?;
        match &seen {
            Seen::Accepted(keys) => self.publisher.accept(keys.tls_spki, asked)?,
            Seen::Rejected(_) => self.publisher.refuse(Refusal::Rejected),
            Seen::CouldNotJudge(_) | Seen::Unreachable(_) => self.publisher.refuse(Refusal::NotJudged),
        }
        match self.state.change(&seen) {
            // WireGuard's keys are not this proxy's
            None | Some(Event::Rotated) => Ok(()),
            Some(event) => self.changed(event, &seen),
        }
    }

    fn ready(&self, address: SocketAddr, gateway: &Address) -> Result<()> {
        let (at, to) = (format!("http://{address}"), gateway.shown());
        let more = json!({ "address": at, "to": to });
        self.say("listening", more, &format!("listening on {at}, passing on to {to}"))
    }

    fn changed(&self, event: Event, seen: &Seen) -> Result<()> {
        let (mut more, words) = match seen {
            Seen::Accepted(keys) => (json!({ "tls_spki": keys.tls_spki }), format!("TLS key {}", keys.tls_spki)),
            other => (json!({}), other.words()),
        };
        if !matches!(seen, Seen::Accepted(_)) {
            seen.describe(&mut more);
        }
        self.say(event.name(), more, &format!("{} {} {words}", timestamp(now()?.as_secs()), event.name()))
    }

    fn say(&self, event: &str, mut more: Value, words: &str) -> Result<()> {
        if !self.args.json {
            return print(&printable(words));
        }
        more["v"] = 1.into();
        more["at"] = timestamp(now()?.as_secs()).into();
        more["server"] = self.server.name().into();
        more["event"] = event.into();
        print(&String::from_utf8_lossy(&to_canonical_json(&more)?))
    }
}
