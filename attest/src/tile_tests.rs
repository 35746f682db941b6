use super::*;
use crate::merkle::{consistent, leaf, path, root, root_of_nothing, root_of_path};
use std::convert::Infallible;

/// Sizes at which proofs are tried in full.
const SIZES: u64 = 1025;

fn leaves(count: u64) -> Vec<Sha256> {
    (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
}

/// All tiles of a tree, as an [`Edge`] tells them.
fn grown(leaves: &[Sha256]) -> (Edge, BTreeMap<Tile, Vec<Sha256>>) {
    let (mut edge, mut tiles) = (Edge::default(), BTreeMap::new());
    for leaf in leaves {
        edge.push(*leaf, |tile, hashes| _ = tiles.insert(tile, hashes.to_vec()));
    }
    tiles.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
    (edge, tiles)
}

fn tree(
    size: u64,
    tiles: &BTreeMap<Tile, Vec<Sha256>>,
) -> Tree<impl FnMut(Tile) -> Result<Vec<Sha256>, Infallible> + '_> {
    Tree::new(size, |tile| Ok(tiles[&tile].clone()))
}

/// Tiles against the definition of the standard, which `merkle` follows without any tiles.
#[test]
fn all_proofs_of_all_sizes() {
    let all = leaves(SIZES);
    let roots: Vec<Sha256> =
        (0..=SIZES as usize).map(|size| root(&all[..size]).unwrap_or_else(root_of_nothing)).collect();
    for size in 0..=SIZES {
        let (edge, tiles) = grown(&all[..size as usize]);
        assert_eq!((edge.size(), edge.root()), (size, roots[size as usize]), "{size}");
        let mut tree = tree(size, &tiles);
        for old in 0..=size {
            assert_eq!(tree.root(old).unwrap(), roots[old as usize]);
            let proof = tree.consistency(old, size).unwrap();
            let (from, to) = ((old, roots[old as usize]), (size, roots[size as usize]));
            assert!(consistent(from, to, &proof), "{old} in {size}");
        }
        for index in 0..size {
            let proof = tree.inclusion(index, size).unwrap();
            let hash = all[index as usize];
            assert_eq!(tree.leaf(index).unwrap(), hash);
            assert_eq!(root_of_path(hash, index, size, &proof), Some(roots[size as usize]), "{index} of {size}");
            if size < 300 {
                assert_eq!(Some(proof), path(&all[..size as usize], index as usize));
            }
        }
    }
}

/// A bent proof, one of other sizes, of another length.
#[test]
fn inconsistent() {
    let all = leaves(70);
    let at = |size: usize| (size as u64, root(&all[..size]).unwrap_or_else(root_of_nothing));
    let (_, tiles) = grown(&all);
    for new in 0..=70 {
        for old in 0..=new {
            let mut tree = tree(70, &tiles);
            let proof = tree.consistency(old as u64, new as u64).unwrap();
            assert!(consistent(at(old), at(new), &proof));
            assert!(!consistent(at(old), at(new), &[proof.clone(), vec![all[0]]].concat()));
            if let Some((_, short)) = proof.split_last() {
                assert!(!consistent(at(old), at(new), short), "{old} in {new}");
            }
            for bent in 0..proof.len() {
                let mut proof = proof.clone();
                proof[bent].0[0] ^= 1;
                assert!(!consistent(at(old), at(new), &proof));
            }
            if old > 0 {
                assert!(!consistent((old as u64, all[1]), at(new), &proof), "another old root");
                assert!(!consistent(at(old), (new as u64, all[1]), &proof), "another new root");
            }
            if old < new {
                assert!(!consistent(at(new), at(old), &proof), "it shrank");
            }
        }
    }
    let one = all[0];
    for (old, new) in [(1, u64::MAX), (u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX)] {
        assert!(!consistent((old, one), (new, all[1]), &[one; 200]));
    }
}

/// The example of the standard, and the edges of its first levels.
#[test]
fn golden_layouts() {
    let count =
        |size, level| added(0, size).filter(|tile| tile.level == level).map(|tile| tile.width).collect::<Vec<_>>();
    let levels = |size| added(0, size).map(|tile| tile.level).max().map_or(0, |level| level + 1);
    let widths = count(70_000, 0);
    assert_eq!((widths.len(), widths[..273].iter().all(|width| *width == 256), widths[273]), (274, true, 112));
    assert_eq!(count(70_000, 1), [256, 17]);
    assert_eq!(count(70_000, 2), [1]);
    assert_eq!(levels(70_000), 3);
    assert_eq!((count(256, 0), count(256, 1), levels(256)), (vec![256], vec![1], 2));
    assert_eq!((count(255, 0), levels(255), levels(0)), (vec![255], 1, 0));
    assert_eq!(count(257, 0), [256, 1]);
    let paths: Vec<String> = added(69_999, 70_000).map(|tile| tile.path()).collect();
    assert_eq!(paths, ["tile/0/273.p/112"]);
    let paths: Vec<String> = added(65_535, 65_537).map(|tile| tile.path()).collect();
    assert_eq!(paths, ["tile/0/255", "tile/0/256.p/1", "tile/1/000", "tile/2/000.p/1"]);
    let place = Tile { level: 3, index: 1_234_067, width: 256 };
    assert_eq!(place.path(), "tile/3/x001/x234/067");
    assert_eq!(Tile { width: 8, ..place }.entries_path(), "tile/entries/x001/x234/067.p/8");
}

#[test]
fn added_is_what_was_not_there() {
    for new in (0..1400).chain([65_535, 65_536, 65_537, 70_000]) {
        let all: Vec<Tile> = added(0, new).collect();
        for old in [0, 1, 255, 256, 257, 511, 600, 1399, 65_535, 65_536].into_iter().filter(|&old| old <= new) {
            let before: Vec<Tile> = added(0, old).collect();
            let expected: Vec<Tile> = all.iter().filter(|tile| !before.contains(tile)).copied().collect();
            assert_eq!(added(old, new).collect::<Vec<_>>(), expected, "{old} to {new}");
        }
    }
}

#[test]
fn an_edge_is_loaded_from_tiles() {
    for size in [0, 1, 255, 256, 257, 65_536, 66_000] {
        let (edge, tiles) = grown(&leaves(size));
        let loaded = Edge::load(size, |tile| Ok::<_, Infallible>(tiles[&tile].clone())).unwrap();
        assert_eq!(loaded, edge);
        let mut tree = tree(size, &tiles);
        assert_eq!(tree.root(size).unwrap(), edge.root());
    }
}

#[test]
fn paths_have_one_spelling() {
    for path in ["tile/0/000", "tile/63/999.p/255", "tile/entries/x001/000", "tile/7/x018/x446/x744/x073/x709/x551/615"]
    {
        assert_eq!(Resource::parse(path).map(|resource| resource.path()).as_deref(), Some(path));
    }
    for bad in [
        "tile/0/0",
        "tile/0/x000/001",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/-1/000",
        "tile/+1/000",
        "tile/entries/",
        "tile/0/../000",
        "/tile/0/000",
        "tile/0/000/",
        "checkpoint",
        "",
        "tile/0/+01",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/x/000",
        "tile/0/000.p/+1",
        "tile/entries/000.p/1.p/1",
    ] {
        assert_eq!(Resource::parse(bad), None, "{bad} was taken");
    }
}

#[test]
fn bundles() {
    let mut bundle = vec![];
    for entry in [&b"one"[..], b"", &[7; ENTRY_LIMIT]] {
        push_entry(&mut bundle, entry).unwrap();
    }
    let length = bundle.len();
    assert!(push_entry(&mut bundle, &[0; ENTRY_LIMIT + 1]).is_err());
    assert_eq!(bundle.len(), length);
    assert_eq!(entries(&bundle, 3).unwrap(), [&b"one"[..], b"", &[7; ENTRY_LIMIT]]);
    for (bad, count) in
        [(&bundle[..], 2), (&bundle[..], 4), (&bundle[..length - 1], 3), (&bundle[..1], 0), (&[0, 0, 0], 1)]
    {
        assert!(entries(bad, count).is_err());
    }
    assert_eq!(entries(&[], 0).unwrap(), [] as [&[u8]; 0]);
    let tile = Tile { level: 0, index: 0, width: 2 };
    assert!(hashes(tile, &[0; 63]).is_err() && hashes(tile, &[0; 65]).is_err() && hashes(tile, &[0; 64]).is_ok());
}
