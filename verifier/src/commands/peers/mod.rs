//! `vitrine-verify peers`: orders of the owner, only to a server that was just accepted.

mod file;
pub(super) mod owner;
mod set;

use super::accepted::{ask, Lacking};
use super::Done;
use crate::cli::{AddPeer, OnePeer, OwnerArgs, PeerAction, Peers};
use owner::{Line, Owner};
use serde_json::{json, Value};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::Key32;
use vitrine_attest::order::{Operation, Peer};
use vitrine_attest::{Error, Result};

pub fn run(args: &Peers) -> Result<Done> {
    match &args.action {
        PeerAction::Add(args) => add(args),
        PeerAction::Remove(args) => remove(args),
        PeerAction::Has(args) => has(args),
        PeerAction::Sync(args) => set::sync(args),
        PeerAction::Commitment(args) => set::commitment_of(args),
    }
}

fn add(args: &AddPeer) -> Result<Done> {
    let OnePeer { owner, peer } = &args.one;
    with_line(owner, Owner::read(owner)?, |line| {
        line.give(Operation::Add(Peer { peer: *peer, allowed_ips: args.allowed_ips.clone() }))?;
        line.done("added", peer, owner.json)
    })
}

fn remove(args: &OnePeer) -> Result<Done> {
    with_line(&args.owner, Owner::read(&args.owner)?, |line| {
        line.give(Operation::Remove(args.peer))?;
        line.done("removed", &args.peer, args.owner.json)
    })
}

/// Exit code 1 when the peer is not configured.
fn has(args: &OnePeer) -> Result<Done> {
    with_line(&args.owner, Owner::read(&args.owner)?, |line| {
        let answer = line.give(Operation::Has(args.peer))?;
        let (Some(has), Some(online)) = (answer.has, answer.online) else { return Err(no_answer()) };
        let words = match (has, online) {
            (false, _) => "not configured",
            (true, false) => "configured, not online",
            (true, true) => "configured and online",
        };
        let stdout = if args.owner.json {
            line.json(json!({ "has": has, "online": online, "peer": args.peer }))?
        } else {
            format!("{words}: {}\n", args.peer)
        };
        Ok(Done { stdout, exit_code: u8::from(!has) })
    })
}

/// Checks the server, and only then lets the owner speak to it.
pub(super) fn with_line(args: &OwnerArgs, owner: Owner, act: impl FnOnce(&mut Line) -> Result<Done>) -> Result<Done> {
    match ask(&args.server, &args.trust, Lacking::Refuse, args.json)? {
        Ok(accepted) => act(&mut owner.of(accepted)),
        Err(done) => Ok(done),
    }
}

/// The answer is authentic, and does not answer the question.
fn no_answer() -> Error {
    Error::artefact(
        "the server's answer does not fit the order",
        "use the `vitrine-verify` of the release that the server runs",
    )
}

impl Line {
    fn done(&self, done: &str, peer: &Key32, json: bool) -> Result<Done> {
        let wireguard = &self.accepted.keys.wireguard;
        Ok(Done::ok(if json {
            self.json(json!({ "done": done, "peer": peer }))?
        } else {
            format!("{done} {peer}; the server was accepted, its WireGuard key is {wireguard}\n")
        }))
    }

    /// Adds what every answer in JSON holds.
    pub fn json(&self, mut value: Value) -> Result<String> {
        value["v"] = 1.into();
        value["server_wireguard"] = self.accepted.keys.wireguard.to_string().into();
        Ok(format!("{}\n", String::from_utf8_lossy(&to_canonical_json(&value)?)))
    }
}
