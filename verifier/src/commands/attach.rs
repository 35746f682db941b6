//! `vitrine-verify attach`: what a server hands out beside its evidence, by the owner's order.

use super::peers::owner::{Line, Owner};
use super::peers::with_line;
use super::trust::{read_envelope, Papers};
use super::Done;
use crate::cli::{Attach, Trust};
use serde_json::json;
use std::path::{Path, PathBuf};
use vitrine_attest::attachments::{Attached, Attachments, ATTACHMENTS_LIMIT, ATTACHMENTS_PATH};
use vitrine_attest::dsse::Envelope;
use vitrine_attest::entry::Entry;
use vitrine_attest::evidence::REQUEST_LIMIT;
use vitrine_attest::order::Operation;
use vitrine_attest::{Error, Result, Sha256};

pub fn run(args: &Attach) -> Result<Done> {
    let owner = Owner::read(&args.owner)?;
    let bytes = if args.nothing { None } else { Some(gather(&args.owner.trust, &args.also)?.to_bytes()?) };
    with_line(&args.owner, owner, |line| {
        match &bytes {
            Some(bytes) => hand_over(line, bytes)?,
            None => take_away(line)?,
        }
        let digest = bytes.as_ref().map(|bytes| Sha256::of(bytes));
        let count = bytes.as_ref().map_or(0, Vec::len);
        Ok(Done::ok(match (args.owner.json, digest) {
            (true, Some(digest)) => line.json(json!({ "done": "attached", "bytes": count, "sha256": digest }))?,
            (true, None) => line.json(json!({ "done": "attached", "bytes": 0 }))?,
            (false, Some(digest)) => {
                format!("attached: {count} bytes, SHA-256 {digest}; the server hands them out until it restarts\n")
            }
            (false, None) => "attached: nothing; the server hands out its evidence alone\n".into(),
        }))
    })
}

/// What users will get. That the server is accepted by it, the check before the order says.
fn gather(trust: &Trust, also: &[PathBuf]) -> Result<Attachments> {
    let statement = trust.statement.as_deref().ok_or_else(|| {
        Error::input("there is no statement to hand over", "give --statement FILE, the release.dsse.json of the build")
    })?;
    let papers = Papers::read(statement, trust.proof.as_deref())?;
    papers.belong_together()?;
    let proof = papers.proof.map(String::from_utf8).transpose();
    let proof = proof.map_err(|_| Error::input("the proof is no text", "give the release.tlog-proof as it is"))?;
    let others = also.iter().map(|path| other(path)).collect::<Result<_>>()?;
    Ok(Attachments::new(papers.envelope, proof, others))
}

/// Only what somebody reads there.
fn other(path: &Path) -> Result<Envelope> {
    let within = |e: Error| e.within(path.display());
    let envelope = read_envelope(path)?;
    match Entry::of(&envelope).map_err(within)? {
        Entry::RebuildVerdict(_) | Entry::ZeroLog(_) | Entry::ZeroLogReport(_) => Ok(envelope),
        Entry::Revocation(_) => Err(Error::input(
            format!("{}: a revocation", path.display()),
            "a server that does not want it seen would not hand it out: publish it in the log",
        )),
        other => {
            let what = format!("{}: a {}", path.display(), other.kind());
            Err(Error::input(what, "give verdicts of rebuilds and zero-log reports; the release goes with --statement"))
        }
    }
}

/// The order says which bytes, and anybody could bring them; then they have to be there.
fn hand_over(line: &mut Line, bytes: &[u8]) -> Result<()> {
    let digest = Sha256::of(bytes);
    line.give(Operation::Attach(Some(digest)))?;
    let server = &line.accepted.server;
    let answer = server.post(ATTACHMENTS_PATH, "application/json", bytes, REQUEST_LIMIT)?;
    let taken = serde_json::from_slice::<Attached>(&answer.body).is_ok_and(|taken| taken.attached == digest);
    if answer.status != 200 || !taken {
        let what = format!("the order was taken, and the bytes were not: {}", answer.code());
        return Err(Error::host(what, "try again; somebody else with your key may have ordered others meanwhile"));
    }
    let there = server.get(ATTACHMENTS_PATH, ATTACHMENTS_LIMIT)?;
    match there.status == 200 && there.body == bytes {
        true => Ok(()),
        false => Err(Error::artefact(
            "the server hands out something else than it was given",
            "somebody else gives it orders with your key, or its agent lies: users will judge what it hands out",
        )),
    }
}

fn take_away(line: &mut Line) -> Result<()> {
    line.give(Operation::Attach(None))?;
    let there = line.accepted.server.get(ATTACHMENTS_PATH, ATTACHMENTS_LIMIT)?;
    match there.status {
        404 => Ok(()),
        _ => Err(Error::artefact(
            format!("the order was taken, and the server still hands something out: {}", there.code()),
            "somebody else gives it orders with your key, or its agent lies",
        )),
    }
}
