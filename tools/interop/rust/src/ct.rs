//! ct-merkle: roots and proofs of RFC 6962.

use crate::folder::{entries, put_roots, roots, Hash};
use crate::stream::{Judge, Out};
use crate::Result;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;
use std::path::Path;

type Tree = MemoryBackedTree<Sha256, Vec<u8>>;

/// Of the trees over the first 0, 1, 2 … entries.
fn trees_roots(entries: Vec<Vec<u8>>) -> Vec<Hash> {
    let mut tree = Tree::new();
    let mut roots = vec![(*tree.root().as_bytes()).into()];
    for entry in entries {
        tree.push(entry);
        roots.push((*tree.root().as_bytes()).into());
    }
    roots
}

pub fn judge_roots(folder: &Path) -> Result<String> {
    let (ours, roots) = (trees_roots(entries(folder)?), roots(folder)?);
    match ours == roots {
        true => Ok(format!("{} roots", roots.len())),
        false => Err("the roots are others".into()),
    }
}

pub struct Known {
    entries: Vec<Vec<u8>>,
    roots: Vec<RootHash<Sha256>>,
}

pub fn known(folder: &Path) -> Result<Known> {
    let roots = (0..).zip(roots(folder)?).map(|(size, root)| RootHash::new(root.into(), size)).collect();
    Ok(Known { entries: entries(folder)?, roots })
}

impl Judge for Known {
    fn sizes(&self) -> usize {
        self.roots.len()
    }

    fn inclusion(&self, index: usize, size: usize, hashes: &[Hash]) -> bool {
        let proof = InclusionProof::try_from_bytes(hashes.concat());
        proof.is_ok_and(|proof| self.roots[size].verify_inclusion(&self.entries[index], index as u64, &proof).is_ok())
    }

    fn consistency(&self, old: usize, size: usize, hashes: &[Hash]) -> bool {
        let proof = ConsistencyProof::try_from_bytes(hashes.concat());
        proof.is_ok_and(|proof| self.roots[size].verify_consistency(&self.roots[old], &proof).is_ok())
    }
}

pub fn write(folder: &Path) -> Result<String> {
    let roots = trees_roots(entries(folder)?);
    put_roots(folder, &roots)?;
    Ok(format!("{} roots", roots.len()))
}

pub fn proofs(folder: &Path) -> Result<String> {
    let (mut tree, mut out) = (Tree::new(), Out::new());
    for (before, entry) in entries(folder)?.into_iter().enumerate() {
        tree.push(entry);
        let size = before + 1;
        for n in 0..size {
            out.record(b'i', n, size, tree.prove_inclusion(n).as_bytes())?;
            out.record(b'c', n + 1, size, tree.prove_consistency(size - (n + 1)).as_bytes())?;
        }
    }
    out.end()
}
