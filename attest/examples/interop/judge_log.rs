//! A log's public folder, as a peer wrote it.

use crate::{keys, read, refused};
use std::collections::BTreeSet;
use std::path::Path;
use vitrine_attest::merkle::{self, consistent, leaf, root_of_path};
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::tile::{added, entries, hashes, to_bytes, Edge, Resource, Tile, Tree};
use vitrine_attest::{Result, Sha256};

/// Files that are spoilt, each alone.
const SPOILT: usize = 24;
const PROOFS: u64 = 300;

pub fn judge(folder: &Path) -> Result<String> {
    let keys = keys(folder)?;
    let log = folder.join("log");
    let note = Note::parse(&read(&log.join("checkpoint"))?).map_err(refused)?;
    if note.signers(&keys[..1]).map_err(refused)?.is_empty() {
        return Err(refused("the log has not signed its checkpoint"));
    }
    let checkpoint = Checkpoint::parse(note.text()).map_err(refused)?;
    let fetch = |resource: Resource| read(&log.join(resource.path()));
    whole(&checkpoint, fetch)?;
    let proofs = proofs(&checkpoint, |tile| hashes(tile, &fetch(Resource::Hashes(tile))?).map_err(refused))?;

    let tiles: BTreeSet<Tile> = added(0, checkpoint.size).collect();
    let bundles = tiles.iter().filter(|tile| tile.level == 0).map(|tile| Resource::Entries(*tile));
    let files: Vec<Resource> = tiles.iter().map(|tile| Resource::Hashes(*tile)).chain(bundles).collect();
    for n in 0..SPOILT {
        // the last ones are partial, or of the levels above
        let target = files[n * (files.len() - 1) / (SPOILT - 1)];
        let spoil = |resource: Resource| {
            let mut bytes = fetch(resource)?;
            if resource == target {
                let at = (n * 997) % bytes.len();
                bytes[at] ^= 1 << (n % 8);
            }
            Ok(bytes)
        };
        if whole(&checkpoint, spoil).is_ok() {
            return Err(refused(format!("the log holds with {target} spoilt")));
        }
    }
    Ok(format!("{} files, {} entries, {proofs} proofs; {SPOILT} spoilt refused", files.len(), checkpoint.size))
}

/// Every tile and every bundle is what follows from the entries, and the root is the signed one.
fn whole(checkpoint: &Checkpoint, fetch: impl Fn(Resource) -> Result<Vec<u8>>) -> Result<()> {
    let same = |tile: Tile, hashes: &[_]| match fetch(Resource::Hashes(tile))? == to_bytes(hashes) {
        true => Ok(()),
        false => Err(refused(format!("{} is not what follows from the entries", tile.path()))),
    };
    let (mut edge, mut outcome) = (Edge::default(), Ok(()));
    for tile in added(0, checkpoint.size).filter(|tile| tile.level == 0) {
        let bundle = fetch(Resource::Entries(tile))?;
        for entry in entries(&bundle, tile.width).map_err(refused)? {
            edge.push(leaf(entry), |tile, hashes| {
                if outcome.is_ok() {
                    outcome = same(tile, hashes);
                }
            });
        }
        outcome.clone()?;
    }
    edge.partial().try_for_each(|(tile, hashes)| same(tile, hashes))?;
    match edge.size() == checkpoint.size && edge.root() == checkpoint.root {
        true => Ok(()),
        false => Err(refused("the checkpoint's root is not that of the entries")),
    }
}

/// As a client reads: root and proofs from tiles alone.
fn proofs(checkpoint: &Checkpoint, fetch: impl FnMut(Tile) -> Result<Vec<Sha256>>) -> Result<u64> {
    let (size, root) = (checkpoint.size, checkpoint.root);
    let mut tree = Tree::new(size, fetch);
    if tree.root(size)? != root {
        return Err(refused("the checkpoint's root is not that of the tiles"));
    }
    for n in 0..PROOFS {
        let index = (n * 7919 * 31) % size;
        let path = tree.inclusion(index, size)?;
        if root_of_path(tree.leaf(index)?, index, size, &path) != Some(root) {
            return Err(refused(format!("no proof of inclusion for {index}")));
        }
        let old = (tree.root(index)?, tree.consistency(index, size)?);
        if !consistent((index, old.0), (size, root), &old.1) || (index == 0 && old.0 != merkle::root_of_nothing()) {
            return Err(refused(format!("no proof of consistency for {index}")));
        }
    }
    Ok(2 * PROOFS)
}
