//! `vitrine-verify peers`: orders of the owner, only to a server that was just accepted.

use super::trust::{now, Trusted};
use super::Done;
use crate::cli::{OrderArgs, PeerAction, Peers};
use crate::report::judge;
use crate::server::{Answer, Server};
use crate::{files, session};
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::SigningKey;
use std::path::Path;
use std::time::Duration;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::{ORDER_PATH, REQUEST_LIMIT};
use vitrine_attest::order::{seal_order, Operation, Order, VERSION};
use vitrine_attest::{dsse, Error, Result};

/// Longest key file: a PKCS#8 PEM of Ed25519 has 119 bytes.
const KEY_LIMIT: usize = 4096;

pub fn run(args: &Peers) -> Result<Done> {
    match &args.action {
        PeerAction::Add(add) => give(&add.order, Operation::Add, &add.allowed_ips),
        PeerAction::Remove(remove) => give(&remove.order, Operation::Remove, &[]),
    }
}

fn give(args: &OrderArgs, op: Operation, allowed_ips: &[Cidr]) -> Result<Done> {
    let trusted = Trusted::read(&args.trust)?;
    let owner = owner_key(&args.owner_key)?;
    check_owner(&trusted, &owner)?;
    let server = Server::new(&args.server, Duration::from_secs(args.trust.timeout))?;
    let exchange = session::converse(&server)?;
    let (_, report) = judge(trusted.inputs(exchange)?, args.trust.accept_level);
    let Some(keys) = &report.keys else {
        let stdout = if args.json { report.json()? } else { report.text() };
        return Ok(Done { stdout, exit_code: report.verdict.exit_code() });
    };
    let order = Order { v: VERSION, seq: sequence()?, op, peer: args.peer, allowed_ips: allowed_ips.to_vec() };
    let sealed = seal_order(&order, &owner, &keys.channel)?;
    let answer = server.post(ORDER_PATH, "application/octet-stream", &sealed, REQUEST_LIMIT)?;
    result(args, op, &answer, &keys.wireguard)
}

fn owner_key(path: &Path) -> Result<SigningKey> {
    let pem = files::read_secret(path, KEY_LIMIT)?;
    std::str::from_utf8(&pem).ok().and_then(|pem| SigningKey::from_pkcs8_pem(pem).ok()).ok_or_else(|| {
        Error::input(
            format!("{} is no Ed25519 key in PKCS#8 PEM", path.display()),
            "give the `owner.key` of `vitrine keygen`",
        )
    })
}

/// A wrong key is a mistake of the person: said before the server is asked.
fn check_owner(trusted: &Trusted, owner: &SigningKey) -> Result<()> {
    let Ok(statement) = dsse::verify(trusted.envelope(), trusted.key().key()) else { return Ok(()) };
    let named = statement.predicate.config.owner;
    if named == Some(Key32(owner.verifying_key().to_bytes())) {
        return Ok(());
    }
    Err(match named {
        Some(named) => Error::input(
            format!("this is not the owner's key: the configuration names {named}"),
            "give the secret key that belongs to it",
        ),
        None => Error::input(
            "the configuration names no owner: this server takes no orders",
            "build an image with `owner` in its configuration",
        ),
    })
}

/// Unix time in nanoseconds: rises without being remembered anywhere.
fn sequence() -> Result<u64> {
    u64::try_from(now()?.as_nanos())
        .map_err(|_| Error::host("this computer's clock is after the year 2554", "set the clock"))
}

fn result(args: &OrderArgs, op: Operation, answer: &Answer, wireguard: &Key32) -> Result<Done> {
    let done = match (answer.status, op) {
        (204, Operation::Add) => "added",
        (204, Operation::Remove) => "removed",
        (400..=499, _) => {
            let what = format!("the server refused the order: {}", answer.code());
            return Err(Error::artefact(what, "check owner key, peer and networks; then send it again"));
        }
        _ => {
            let what = format!("the server did not carry out the order: {}", answer.code());
            return Err(Error::host(what, "try again"));
        }
    };
    let stdout = if args.json {
        let value = serde_json::json!({ "v": 1, "done": done, "peer": args.peer, "server_wireguard": wireguard });
        format!("{}\n", String::from_utf8_lossy(&to_canonical_json(&value)?))
    } else {
        format!("{done} {}; the server was accepted, its WireGuard key is {wireguard}\n", args.peer)
    };
    Ok(Done::ok(stdout))
}
