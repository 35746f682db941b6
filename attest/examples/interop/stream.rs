//! All proofs there are over the first entries: too many for files, so they go through pipes.

use crate::{entries, refused, roots, tiles, tree};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use vitrine_attest::{merkle, Error, Result, Sha256};

/// Inclusion of each entry in each tree, consistency of each tree with each later one and itself; that with the tree of no
/// entries is empty and says nothing.
pub fn write(folder: &Path) -> Result<String> {
    let entries = entries(folder)?;
    let tiles = tiles(&entries);
    let mut tree = tree(entries.len(), &tiles);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for size in 1..=entries.len() as u16 {
        for n in 0..size {
            record(&mut out, b'i', n, size, &tree.inclusion(n.into(), size.into())?)?;
            record(&mut out, b'c', n + 1, size, &tree.consistency((n + 1).into(), size.into())?)?;
        }
    }
    out.flush().map_err(|e| Error::host(format!("standard output: {e}"), ""))?;
    Ok("end".into())
}

fn record(out: &mut impl Write, kind: u8, first: u16, size: u16, hashes: &[Sha256]) -> Result<()> {
    let numbers = [first.to_be_bytes(), size.to_be_bytes()].concat();
    let hashes_of = hashes.iter().map(|hash| hash.0).collect::<Vec<_>>().concat();
    let written = out.write_all(&[&[kind][..], &numbers, &[hashes.len() as u8], &hashes_of].concat());
    written.map_err(|e| Error::host(format!("standard output: {e}"), ""))
}

struct Known {
    leaves: Vec<Sha256>,
    roots: Vec<Sha256>,
}

impl Known {
    fn inclusion(&self, index: usize, size: usize, path: &[Sha256]) -> bool {
        let leaf = self.leaves.get(index);
        let root = leaf.and_then(|leaf| merkle::root_of_path(*leaf, index as u64, size as u64, path));
        root == Some(self.roots[size])
    }

    fn consistency(&self, old: usize, new: usize, proof: &[Sha256]) -> bool {
        old <= new && merkle::consistent((old as u64, self.roots[old]), (new as u64, self.roots[new]), proof)
    }
}

/// How many proofs a peer has to bring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    All,
    /// A slow peer's, or one that knows inclusion only: thousands.
    Some,
}

const FEW: usize = 5000;

/// Judges proofs from standard input, and each again with one bit spoilt; after them comes `end`.
pub fn judge(folder: &Path, extent: Extent) -> Result<String> {
    let leaves = entries(folder)?.iter().map(|entry| merkle::leaf(entry)).collect();
    let known = Known { leaves, roots: roots(folder)? };
    let mut input = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let (mut inclusion, mut consistency, mut spoilt) = (0, 0, 0);
    while let Some((kind, first, size, mut hashes)) = next(&mut input)? {
        let holds = |hashes: &[Sha256]| match kind {
            b'i' => known.inclusion(first, size, hashes),
            _ => known.consistency(first, size, hashes),
        };
        if size >= known.roots.len() || !holds(&hashes) {
            return Err(refused(format!("proof {} {first} {size} does not hold", char::from(kind))));
        }
        *(if kind == b'i' { &mut inclusion } else { &mut consistency }) += 1;
        if !hashes.is_empty() {
            let bit = (spoilt * 37) % (hashes.len() * 256);
            hashes[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
            if holds(&hashes) {
                return Err(refused(format!("proof {} {first} {size} holds with bit {bit} spoilt", char::from(kind))));
            }
            spoilt += 1;
        }
    }
    let all = known.leaves.len() * (known.leaves.len() + 1) / 2;
    let enough = match extent {
        Extent::All => (inclusion, consistency) == (all, all),
        Extent::Some => inclusion >= FEW,
    };
    if !enough {
        return Err(refused(format!("only {inclusion} proofs of inclusion, {consistency} of consistency")));
    }
    Ok(format!("{inclusion} inclusion and {consistency} consistency proofs; {spoilt} spoilt refused"))
}

type Proof = (u8, usize, usize, Vec<Sha256>);

/// None at `end`.
fn next(input: &mut impl Read) -> Result<Option<Proof>> {
    let mut fill = |bytes: &mut [u8]| {
        input
            .read_exact(bytes)
            .map_err(|e| Error::input(format!("standard input: {e}"), "let the peer write its proofs"))
    };
    let mut head = [0; 6];
    fill(&mut head[..1])?;
    if head[0] == b'e' {
        fill(&mut head[1..4])?; // the rest of `end` and its line
        return Ok(None);
    }
    fill(&mut head[1..])?;
    let [kind @ (b'i' | b'c'), a, b, c, d, count] = head else {
        return Err(refused(format!("{:?} is the beginning of no proof", char::from(head[0]))));
    };
    let mut hashes = vec![Sha256::ZERO; count.into()];
    hashes.iter_mut().try_for_each(|hash| fill(&mut hash.0))?;
    Ok(Some((kind, u16::from_be_bytes([a, b]).into(), u16::from_be_bytes([c, d]).into(), hashes)))
}
