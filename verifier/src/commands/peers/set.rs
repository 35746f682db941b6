//! Whole sets of peers: `sync` and `commitment`.

use super::owner::{Line, Owner};
use super::{file, no_answer, with_line};
use crate::cli::{CommitmentArgs, SyncPeers};
use crate::commands::Done;
use crate::server::random;
use serde_json::json;
use vitrine_attest::order::{commitment, split, Changes, Operation, Peer};
use vitrine_attest::{Error, Result, Sha256};

/// Compares first, so that nothing is sent to a server that has it all, and afterwards, so that the server proves
/// that it has.
pub fn sync(args: &SyncPeers) -> Result<Done> {
    let owner = Owner::read(&args.owner)?;
    let peers = file::load(&args.file, owner.config.as_ref())?;
    if peers.is_empty() && !args.allow_empty {
        let what = format!("{} names no peer: all would be removed", args.file.display());
        return Err(Error::input(what, "add --allow-empty if that is meant"));
    }
    with_line(&args.owner, owner, |line| {
        let changes = match line.holds(&peers)? {
            true => Changes { unchanged: u32::try_from(peers.len()).unwrap_or(u32::MAX), ..Changes::default() },
            false => send(line, &peers)?,
        };
        let Changes { added, removed, unchanged } = changes;
        Ok(Done::ok(if args.owner.json {
            line.json(json!({ "done": "synced", "added": added, "removed": removed, "unchanged": unchanged }))?
        } else {
            format!("{added} added, {removed} removed, {unchanged} unchanged; the server holds exactly these peers\n")
        }))
    })
}

fn send(line: &mut Line, peers: &[Peer]) -> Result<Changes> {
    let mut changes = None;
    for part in split(peers)? {
        changes = line.give(Operation::Sync(part))?.changes;
    }
    if !line.holds(peers)? {
        return Err(Error::artefact(
            "the server holds other peers than those it was sent",
            "somebody else gives it orders with your key, at the same time: find out who, then run it again",
        ));
    }
    changes.ok_or_else(no_answer)
}

/// "My keys are in, nobody else's." Exit code 1 when they are not.
pub fn commitment_of(args: &CommitmentArgs) -> Result<Done> {
    let owner = Owner::read(&args.owner)?;
    let peers = file::load(&args.file, owner.config.as_ref())?;
    with_line(&args.owner, owner, |line| {
        let equal = line.holds(&peers)?;
        let count = peers.len();
        let stdout = if args.owner.json {
            line.json(json!({ "equal": equal, "peers": count }))?
        } else if equal {
            format!("equal: the server holds exactly these {count} peers, and nobody else\n")
        } else {
            format!("different: the server does not hold exactly these {count} peers\n")
        };
        Ok(Done { stdout, exit_code: u8::from(!equal) })
    })
}

impl Line {
    /// Whether the server holds exactly these peers now. The salt is new each time, so an old answer is none.
    fn holds(&mut self, peers: &[Peer]) -> Result<bool> {
        let salt = Sha256(random()?);
        let theirs = self.give(Operation::Commit(salt))?.commitment.ok_or_else(no_answer)?;
        Ok(theirs == commitment(&salt, peers.iter().map(|peer| (&peer.peer, peer.allowed_ips.as_slice()))))
    }
}
