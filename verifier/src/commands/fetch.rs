//! `vitrine-verify fetch`: a request, only to a gateway that was just accepted.

use super::accepted::{ask, Accepted, Lacking};
use super::Done;
use crate::cli::Fetch;
use crate::fetch::{exchange, Data, Output, Parts, Wanted};
use crate::gateway::{client, Address};
use crate::http_serve::signals;
use crate::runtime;
use std::fmt::Write as _;
use std::time::Duration;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

/// Statuses that `--fail` does not take (RFC 9110 §15).
const FAILED: u16 = 400;

pub fn run(args: &Fetch) -> Result<Done> {
    // mistakes are said before anybody is asked
    let address = Address::parse(&args.url)?;
    let parts = Parts::new(args.method.as_deref(), &args.headers, Data::of(args.data.as_deref())?)?;
    let server = args.server.clone().unwrap_or_else(|| address.attestation());
    let accepted = match ask(&server, &args.trust, Lacking::AskServer, args.json)? {
        Ok(accepted) => accepted,
        // stdout is for the answer
        Err(Done { stdout, exit_code }) => {
            eprint!("{stdout}");
            return Ok(Done { stdout: String::new(), exit_code });
        }
    };
    eprint!("{}", if args.json { accepted.report.json()? } else { summary(&accepted) });
    let output = Output::open(args.output.as_deref())?;
    send(args, &address, &accepted, parts, output)?;
    Ok(Done::ok(String::new()))
}

fn send(args: &Fetch, address: &Address, accepted: &Accepted, parts: Parts, output: Output) -> Result<()> {
    let tls = client(accepted.keys.tls_spki)?;
    let wanted = Wanted { include: args.include, fail: args.fail.then_some(FAILED) };
    let longest = args.max_time.map_or(Duration::MAX, Duration::from_secs);
    let failed = |e: std::io::Error| Error::host(format!("cannot begin: {e}"), "try again");
    runtime::run(failed, async {
        let signals = signals()?;
        tokio::select! {
            ended = exchange(address, &tls, parts, output, wanted) => ended,
            () = tokio::time::sleep(longest) => Err(late(args.max_time)),
            () = signals => Err(Error::host("ended by a signal, before the answer was whole", "run it again")),
        }
    })
}

fn late(seconds: Option<u64>) -> Error {
    Error::host(format!("no whole answer within {} s", seconds.unwrap_or_default()), "allow more with --max-time")
}

/// Two lines: who was accepted, and to whom requests go from there.
pub(super) fn summary(accepted: &Accepted) -> String {
    let Accepted { server, keys, config, report } = accepted;
    let mut out = report.verdict.to_string();
    for remark in &report.remarks {
        let _ = write!(out, "; {}", printable(remark));
    }
    let _ = write!(out, ": {}", server.name());
    if let Some(release) = &report.release {
        let image = format!("{} {}", release.image, release.version);
        let _ = write!(out, ", {}, {}", printable(&image), release.fingerprint);
    }
    let _ = write!(out, "\nTLS key {}", keys.tls_spki);
    match &config.gateway {
        None => out += "; its configuration has no gateway",
        Some(gateway) => {
            for route in &gateway.routes {
                let name = gateway.upstreams.get(&route.upstream).map_or("?", |upstream| &upstream.name);
                let _ = write!(out, "; {} to {}", printable(&route.prefix), printable(name));
            }
        }
    }
    out.push('\n');
    out
}
