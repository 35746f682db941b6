//! Merkle trees over SHA-256 with proofs of inclusion and of consistency (RFC 9162, §2.1).
//!
//! ```text
//! leaf(d) = SHA-256(00 ‖ d)      node(l, r) = SHA-256(01 ‖ l ‖ r)
//! ```
//! A tree of n leaves, n > 1, has on its left the largest power of two below n.

use crate::Sha256;

/// Hash of a leaf that holds these bytes.
pub fn leaf(data: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0x00], data])
}

/// Hash of the node above these two.
pub fn node(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[0x01], &left.0, &right.0])
}

/// Root over hashes of leaves (§2.1.1). None: there are no leaves; the standard's hash of an empty tree is of no use here.
pub fn root(leaves: &[Sha256]) -> Option<Sha256> {
    match leaves {
        [] => None,
        [one] => Some(*one),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            Some(node(&root(left)?, &root(right)?))
        }
    }
}

/// The path from a leaf to the root, lowest first (§2.1.3.1). None: there is no such leaf.
pub fn path(leaves: &[Sha256], index: usize) -> Option<Vec<Sha256>> {
    if leaves.len() <= 1 {
        return (index < leaves.len()).then(Vec::new);
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) = match index.checked_sub(left.len()) {
        None => (path(left, index)?, root(right)?),
        Some(index) => (path(right, index)?, root(left)?),
    };
    below.push(beside);
    Some(below)
}

/// The root that a path leads to from leaf `index` of `size` (§2.1.3.2). None: a tree of this size has no such leaf, or its
/// path has another length.
pub fn root_of_path(leaf: Sha256, index: u64, size: u64, path: &[Sha256]) -> Option<Sha256> {
    let mut last = size.checked_sub(1).filter(|&last| index <= last)?;
    let (mut at, mut hash) = (index, leaf);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            // the rightmost node of a level that has no neighbour is that of the level above
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

/// Whether a tree of `old` leaves with this root is the beginning of one of `new` leaves with that root (§2.1.4.2). From
/// nothing everything follows, without a proof.
///
/// Does **not** prove that there is no third tree that the same log shows to others.
pub fn consistent(old: (u64, Sha256), new: (u64, Sha256), proof: &[Sha256]) -> bool {
    let ((first, old), (second, new)) = (old, new);
    if first == second {
        return proof.is_empty() && old == new;
    }
    if first > second {
        return false;
    }
    if first == 0 {
        return proof.is_empty();
    }
    // a whole subtree is its own first hash
    let mut hashes = first.is_power_of_two().then_some(old).into_iter().chain(proof.iter().copied());
    let (mut at, mut last) = (first - 1, second - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let Some(seed) = hashes.next() else { return false };
    let (mut of_old, mut of_new) = (seed, seed);
    for beside in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (of_old, of_new) = (node(&beside, &of_old), node(&beside, &of_new));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            of_new = node(&of_new, &beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && of_old == old && of_new == new
}

/// The root of an empty tree (§2.1.1), which a log's first checkpoint has.
pub fn root_of_nothing() -> Sha256 {
    Sha256::of(&[])
}

/// The largest power of two below `n`, which is 2 or more.
fn split(n: usize) -> usize {
    1 << (n - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::hex;

    /// Input and roots of certificate transparency's reference tests.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn leaves(count: usize) -> Vec<Sha256> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_of_the_reference() {
        let leaves = LEAVES.map(leaf);
        for (count, expected) in (1..).zip(ROOTS) {
            assert_eq!(hex(&root(&leaves[..count]).unwrap().0), expected, "{count} leaves");
        }
        assert_eq!((root(&[]), path(&[], 0)), (None, None));
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_does() {
        for count in 1..=70 {
            let leaves = leaves(count);
            let whole = root(&leaves);
            assert_eq!(path(&leaves, count), None);
            for index in 0..count {
                let path = path(&leaves, index).unwrap();
                let to =
                    |at: usize, size: usize, path: &[Sha256]| root_of_path(leaves[index], at as u64, size as u64, path);
                assert_eq!(to(index, count, &path), whole);
                // another place
                for at in (0..count + 2).filter(|&at| at != index) {
                    assert_ne!(to(at, count, &path), whole, "{index} of {count} as {at}");
                }
                // too short, too long
                if let Some((_, short)) = path.split_last() {
                    assert_eq!(to(index, count, short), None);
                }
                assert_eq!(to(index, count, &[path.clone(), vec![leaves[0]]].concat()), None);
                // one bit
                for level in 0..path.len() {
                    let mut bent = path.clone();
                    bent[level].0[31] ^= 1;
                    assert_ne!(to(index, count, &bent), whole);
                }
            }
        }
    }

    #[test]
    fn numbers_from_strangers() {
        let one = leaf(b"");
        for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
            assert_eq!(root_of_path(one, index, size, &[]), None);
        }
        assert_eq!(root_of_path(one, u64::MAX - 1, u64::MAX, &[one; 200]), None);
    }
}
