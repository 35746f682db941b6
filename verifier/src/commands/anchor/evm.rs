//! `vitrine-verify anchor evm-deploy`, `evm-call`, `evm-query`, `evm-check`

use super::{keys, named, not_proven, read, Done};
use crate::anchor::evm::header::{Header, HEADER_FILE_LIMIT};
use crate::anchor::evm::proof::{Head, StateProof, PROOF_FILE_LIMIT};
use crate::anchor::evm::{abi, origin, slots, Artefact};
use crate::cli::{EvmCall, EvmCheck, EvmQuery};
use crate::clock::timestamp;
use crate::files;
use crate::log::{Config, Folder, Place};
use serde_json::json;
use std::path::Path;
use vitrine_attest::digest::hex;
use vitrine_attest::merkle::consistent;
use vitrine_attest::note::Checkpoint;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

pub fn deploy() -> Result<Done> {
    Ok(Done::ok(format!("0x{}\n", Artefact::ours()?.bytecode)))
}

pub fn call(args: &EvmCall) -> Result<Done> {
    let (_, checkpoint) = read(&args.checkpoint, Some(&trusted(args)?))?;
    if args.old >= checkpoint.size {
        let what = format!("the checkpoint has {} entries, the anchored head {}", checkpoint.size, args.old);
        return Err(Error::input(what, "only a larger tree can be anchored: take a newer checkpoint"));
    }
    let proof = match args.old {
        0 => vec![], // the first head has nothing to be consistent with, as the contract knows
        old => proof(&args.log, old, None, &checkpoint)?,
    };
    let call = abi::anchor(&origin(&checkpoint.origin), args.old, checkpoint.size, &checkpoint.root, &proof);
    Ok(Done::ok(format!("0x{}\n", hex(&call))))
}

/// The proof that the tree of this checkpoint continues the log's first `old` entries, checked; with a root, that one's.
fn proof(log: &str, old: u64, old_root: Option<Sha256>, new: &Checkpoint) -> Result<Vec<Sha256>> {
    let place = Place::of(log)?;
    let mut tree = place.tree(new.size);
    let old_root = match old_root {
        Some(root) => root,
        None => tree.root(old)?,
    };
    let proof = tree.consistency(old, new.size)?;
    if !consistent((old, old_root), (new.size, new.root), &proof) {
        let what = format!("the log does not show that its tree of {} continues the one of {old}", new.size);
        return Err(Error::artefact(what, "the log is damaged, or shows different trees: keep both checkpoints"));
    }
    Ok(proof)
}

/// The keys that were given, or those of the log in the folder.
fn trusted(args: &EvmCall) -> Result<Vec<NoteKey>> {
    match &args.key {
        Some(path) => keys(path),
        None => match Config::read(&Folder::new(Path::new(&args.log))) {
            Ok(config) => config.public(),
            Err(_) => Err(Error::input("nobody said whose log this is", "give the log's key with --key")),
        },
    }
}

pub fn query(args: &EvmQuery) -> Result<Done> {
    let (_, checkpoint) = read(&args.checkpoint, None)?;
    let place = &args.place;
    let slots = slots(&place.publisher, &origin(&checkpoint.origin)).map(|slot| format!("0x{}", hex(&slot)));
    let block = place.block_hash.to_string();
    let ask = |id: u8, method: &str, params| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    Ok(Done::ok(format!(
        "{}\n{}\n",
        ask(1, "eth_getBlockByHash", json!([block, false])),
        ask(2, "eth_getProof", json!([place.contract.to_string(), slots, {"blockHash": block}])),
    )))
}

pub fn check(args: &EvmCheck) -> Result<Done> {
    let keys = args.key.as_deref().map(keys).transpose()?;
    let (_, checkpoint) = read(&args.checkpoint, keys.as_deref())?;
    let reject = |what: String| {
        Error::artefact(
            what,
            "ask a node again for exactly this block (anchor evm-query); if it stays, the anchor is another's",
        )
    };
    let header =
        Header::of_block(&files::read(&args.header, HEADER_FILE_LIMIT)?, &args.place.block_hash).map_err(reject)?;
    let proof = StateProof::parse(&files::read(&args.proof, PROOF_FILE_LIMIT)?).map_err(reject)?;
    let code = Artefact::ours()?.code_hash()?;
    let origin = origin(&checkpoint.origin);
    let head = proof.head(&header, &args.place.contract, &code, &args.place.publisher, &origin).map_err(reject)?;
    let continued = compare(&head, &checkpoint, args.log.as_deref())?;
    let block = format!("block {} ({})", header.number, args.place.block_hash);
    Ok(Done::ok(format!(
        "{}\n{continued} {} as of {block} of {}, anchored at {}\n{}",
        named(&checkpoint),
        args.place.publisher,
        timestamp(header.time),
        timestamp(head.time),
        not_proven(keys.is_some(), &block)
    )))
}

/// The head is the checkpoint's tree; or, with the log at hand, one that continues it.
fn compare(head: &Head, checkpoint: &Checkpoint, log: Option<&str>) -> Result<String> {
    let anchored = format!("the anchored head has {} entries and root {}", head.size, head.root);
    let reject = |hint: &str| Err(Error::artefact(format!("{anchored}; this checkpoint is another"), hint));
    if head.size == checkpoint.size && head.root == checkpoint.root {
        return Ok("is the head anchored by".into());
    }
    if head.size == checkpoint.size {
        return reject("two trees of one size: the log shows different people different trees; keep both");
    }
    if head.size < checkpoint.size {
        return reject("the checkpoint is newer than the anchor: take a later block, or an older checkpoint");
    }
    let Some(log) = log else { return reject("name the log with --log to follow the head back to this checkpoint") };
    let newer = Checkpoint { size: head.size, root: head.root, origin: checkpoint.origin.clone() };
    if checkpoint.size > 0 {
        proof(log, checkpoint.size, Some(checkpoint.root), &newer)?;
    }
    Ok(format!("is continued by the head of {} entries anchored by", head.size))
}
