//! Several nonces under one quote.

use super::{done, Files, Group};
use crate::machine::QUOTED;
use crate::stage::nonce;
use crate::Stage;
use vitrine_attest::batch::{Batch, Challenge};
use vitrine_attest::{merkle, Error, Result, Sha256};

pub const ALL: Group = &[
    ("genuine-batch", |stage| sent(stage, |_| {})),
    ("genuine-batch-of-1024", |stage| {
        let (challenge, batch) = gathered(1024)?;
        quoted(stage, challenge, batch)
    }),
    ("batch-place-of-another-nonce", |stage| sent(stage, |batch| batch.index -= 1)),
    ("batch-path-too-short", |stage| sent(stage, |batch| _ = batch.path.pop())),
    ("batch-path-too-long", |stage| sent(stage, |batch| batch.path.push(Sha256::ZERO))),
    ("batch-index-behind-the-last", |stage| sent(stage, |batch| batch.index = batch.size)),
    ("batch-index-4294967295", |stage| sent(stage, |batch| batch.index = u32::MAX)),
    ("batch-size-0", |stage| sent(stage, |batch| batch.size = 0)),
    ("batch-size-4294967295", |stage| sent(stage, |batch| batch.size = u32::MAX)),
    ("batch-of-one", |stage| {
        let root = Challenge::Batch(merkle::leaf(&nonce().0));
        quoted(stage, root, Batch { size: 1, index: 0, path: vec![] })
    }),
    ("batch-of-1025", |stage| {
        let leaves: Vec<Sha256> = (0..1025).map(|n| merkle::leaf(&other(n, 1024).0)).collect();
        let index = leaves.len() - 1;
        let made = merkle::path(&leaves, index).zip(merkle::root(&leaves));
        let (path, root) = made.ok_or_else(|| Error::bug("a tree without a path"))?;
        quoted(stage, Challenge::Batch(root), Batch { size: 1025, index: 1024, path })
    }),
    ("batch-without-the-nonce", |stage| {
        let nonces: Vec<Sha256> = (0..8).map(|n| other(n, 8)).collect();
        let (challenge, places) = gather(&nonces)?;
        quoted(stage, challenge, places[5].clone())
    }),
    ("batch-root-quoted-as-a-nonce", |stage| {
        let (challenge, batch) = gathered(8)?;
        let Challenge::Batch(root) = challenge else { return Err(Error::bug("eight nonces without a tree")) };
        quoted(stage, Challenge::Nonce(root), batch)
    }),
    ("batch-of-a-quote-for-the-nonce-alone", |stage| quoted(stage, Challenge::Nonce(nonce()), gathered(8)?.1)),
];

/// A nonce of somebody else; the one at `ours` is that of the kit.
fn other(n: u32, ours: u32) -> Sha256 {
    if n == ours {
        nonce()
    } else {
        Sha256::of(&n.to_be_bytes())
    }
}

fn gather(nonces: &[Sha256]) -> Result<(Challenge, Vec<Batch>)> {
    let (challenge, places) = Batch::gather(nonces).ok_or_else(|| Error::bug("too many nonces"))?;
    Ok((challenge, places.into_iter().flatten().collect()))
}

/// The kit's nonce among others, and its place.
fn gathered(count: u32) -> Result<(Challenge, Batch)> {
    let ours = count / 2 + 1;
    let nonces: Vec<Sha256> = (0..count).map(|n| other(n, ours)).collect();
    let (challenge, places) = gather(&nonces)?;
    Ok((challenge, places[ours as usize].clone()))
}

/// A genuine quote for eight, whose place was changed on its way.
fn sent(stage: &Stage, change: impl FnOnce(&mut Batch)) -> Result<Files> {
    let (challenge, mut batch) = gathered(8)?;
    change(&mut batch);
    quoted(stage, challenge, batch)
}

fn quoted(stage: &Stage, challenge: Challenge, batch: Batch) -> Result<Files> {
    let mut draft = draft(stage, challenge)?;
    draft.evidence.batch = Some(batch);
    done(Ok(draft))
}

/// A real quote that answers this.
fn draft(stage: &Stage, challenge: Challenge) -> Result<crate::session::Draft> {
    let extra_data = stage.boot.binding(challenge).extra_data();
    stage.signed_otherwise(|m, key, _| m.quote(key, QUOTED, &extra_data.0, "sha256"))
}
