//! Merkle-Patricia tries (Yellow Paper, appendix D): from a root down to the value of a key, or to the place where it would be.
//!
//! Only tries whose keys are hashes, all of one length, as those of accounts and of storage are: so no key is the beginning of
//! another, and branches have no values.

use super::rlp::{item, Item};
use super::{keccak, Word};

/// Longest node in bytes: a branch of sixteen hashes has 532, an account's leaf under 150.
pub const NODE_LIMIT: usize = 1024;
/// Most nodes on a path: each uses up one of 64 digits at least; the last one need not.
pub const PATH_LIMIT: usize = 65;

/// Where a path goes on.
enum Next<'a> {
    Hash(Word),
    /// A node of less than 32 bytes stands in its parent.
    Inside(Item<'a>),
    Nothing,
}

/// The value at the hash of `key` in the trie with this root; None when the nodes show that there is none. `nodes` are those
/// on the path, root first, each of them needed.
///
/// # Errors
/// When the nodes are not those of this root, or do not suffice, or are not what a trie consists of.
pub fn follow<'a>(root: &Word, key: &[u8], nodes: &'a [Vec<u8>]) -> Result<Option<&'a [u8]>, String> {
    if nodes.len() > PATH_LIMIT || nodes.iter().any(|node| node.len() > NODE_LIMIT) {
        return Err(format!("a path has more than {PATH_LIMIT} nodes, or one of more than {NODE_LIMIT} bytes"));
    }
    let digits = nibbles(&keccak(&[key]));
    let mut left = &digits[..];
    let mut nodes = nodes.iter();
    let mut next = Next::Hash(*root);
    let value = loop {
        let node = match next {
            Next::Nothing => break None,
            Next::Inside(node) => node,
            // an empty trie has no nodes, or one that is empty
            Next::Hash(hash) if hash == keccak(&[&[0x80]]) && left.len() == 64 => {
                if nodes.as_slice() == [[0x80]] {
                    nodes.next();
                }
                break None;
            }
            Next::Hash(hash) => {
                let node = nodes.next().ok_or("a node of the path is missing")?;
                if keccak(&[node]) != hash {
                    return Err("a node of the path is not the one that the node above it names".into());
                }
                item(node)?
            }
        };
        let members = node.members(17)?;
        match members.as_slice() {
            [path, child] => {
                let (leaf, path) = compact(path.bytes()?)?;
                if leaf && path.len() != left.len() || !leaf && (path.is_empty() || path.len() >= left.len()) {
                    return Err("a node's part of the key has another length than keys have".into());
                }
                let Some(rest) = left.strip_prefix(&path[..]) else { break None };
                if leaf {
                    break Some(child.bytes()?);
                }
                left = rest;
                next = below(child)?;
                if matches!(next, Next::Nothing) {
                    return Err("an extension leads nowhere".into());
                }
            }
            [children @ .., value] if children.len() == 16 && value.whole == [0x80] => {
                let (&digit, rest) = left.split_first().ok_or("a branch stands deeper than keys are long")?;
                left = rest;
                next = below(&children[usize::from(digit)])?;
            }
            _ => return Err("a node is neither branch, extension nor leaf".into()),
        }
    };
    if nodes.next().is_some() {
        return Err("there are nodes that are not on the path".into());
    }
    Ok(value)
}

fn below<'a>(child: &Item<'a>) -> Result<Next<'a>, String> {
    match child {
        Item { list: true, whole, .. } if whole.len() < 32 => Ok(Next::Inside(*child)),
        Item { list: false, payload: [], .. } => Ok(Next::Nothing),
        Item { list: false, .. } => child.array().map(Next::Hash),
        Item { list: true, .. } => Err("a node of 32 bytes or more stands in its parent".into()),
    }
}

fn nibbles(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

/// Part of a key, and whether its node is a leaf ("hex-prefix", appendix C): the first digit has the flags 2, leaf, and 1, odd.
fn compact(bytes: &[u8]) -> Result<(bool, Vec<u8>), String> {
    let mut digits = nibbles(bytes);
    let skip = match digits.as_slice() {
        [0 | 2, 0, ..] => 2,
        [1 | 3, ..] => 1,
        _ => return Err("a node's part of the key cannot be read".into()),
    };
    let leaf = digits[0] & 2 != 0;
    digits.drain(..skip);
    Ok((leaf, digits))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::rlp::{of_bytes, of_list};
    use super::*;

    /// A trie as its definition says (appendix D), from hashed keys and values: for tests only.
    pub struct Maker(pub Vec<(Vec<u8>, Vec<u8>)>);

    impl Maker {
        pub fn of(pairs: &[(&[u8], Vec<u8>)]) -> Self {
            Self(pairs.iter().map(|(key, value)| (nibbles(&keccak(&[key])), value.clone())).collect())
        }

        pub fn root(&self) -> Word {
            keccak(&[&encode(&self.0, 0)])
        }

        /// The nodes on the way to a key, those inside others left out.
        pub fn path(&self, key: &[u8]) -> Vec<Vec<u8>> {
            let digits = nibbles(&keccak(&[key]));
            let (mut nodes, mut at, mut pairs) = (vec![], 0, self.0.clone());
            loop {
                let node = encode(&pairs, at);
                if at == 0 || node.len() >= 32 {
                    nodes.push(node);
                }
                let shared = shared(&pairs, at);
                if pairs.len() == 1 || digits[at..at + shared] != pairs[0].0[at..at + shared] {
                    return nodes;
                }
                at += shared;
                let branch = encode_branch(&pairs, at);
                if shared > 0 && branch.len() >= 32 {
                    nodes.push(branch);
                }
                pairs.retain(|(key, _)| key[at] == digits[at]);
                if pairs.is_empty() {
                    return nodes;
                }
                at += 1;
            }
        }
    }

    fn shared(pairs: &[(Vec<u8>, Vec<u8>)], at: usize) -> usize {
        let first = &pairs[0].0[at..];
        pairs.iter().map(|(k, _)| first.iter().zip(&k[at..]).take_while(|(a, b)| a == b).count()).min().unwrap_or(0)
    }

    fn prefixed(digits: &[u8], leaf: bool) -> Vec<u8> {
        let flag = if leaf { 2 } else { 0 };
        let mut all = if digits.len() % 2 == 1 { vec![flag + 1] } else { vec![flag, 0] };
        all.extend(digits);
        all.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn reference(node: Vec<u8>) -> Vec<u8> {
        if node.len() < 32 {
            node
        } else {
            of_bytes(&keccak(&[&node]))
        }
    }

    fn encode(pairs: &[(Vec<u8>, Vec<u8>)], at: usize) -> Vec<u8> {
        match pairs {
            [] => vec![0x80],
            [(key, value)] => of_list(&[of_bytes(&prefixed(&key[at..], true)), of_bytes(value)]),
            _ => match shared(pairs, at) {
                0 => encode_branch(pairs, at),
                n => of_list(&[
                    of_bytes(&prefixed(&pairs[0].0[at..at + n], false)),
                    reference(encode_branch(pairs, at + n)),
                ]),
            },
        }
    }

    fn encode_branch(pairs: &[(Vec<u8>, Vec<u8>)], at: usize) -> Vec<u8> {
        let mut items: Vec<Vec<u8>> = (0..16)
            .map(|digit| {
                let under: Vec<_> = pairs.iter().filter(|(key, _)| key[at] == digit).cloned().collect();
                reference(encode(&under, at + 1))
            })
            .collect();
        items.push(vec![0x80]);
        of_list(&items)
    }

    fn sample(count: u32) -> Maker {
        let keys: Vec<Vec<u8>> = (0..count).map(|n| n.to_be_bytes().to_vec()).collect();
        Maker::of(&keys.iter().map(|key| (&key[..], [&key[..], b"value"].concat())).collect::<Vec<_>>())
    }

    #[test]
    fn values_and_gaps() {
        for count in [1, 2, 3, 17, 300] {
            let trie = sample(count);
            let root = trie.root();
            for n in (0..count + 20).step_by(1 + count as usize / 10) {
                let key = n.to_be_bytes();
                let nodes = trie.path(&key);
                let found = follow(&root, &key, &nodes).unwrap();
                let expected = (n < count).then(|| [&key[..], b"value"].concat());
                assert_eq!(found, expected.as_deref(), "{n} of {count}");
            }
        }
    }

    /// The empty trie, in both spellings, and a root of it with somebody's nodes.
    #[test]
    fn nothing() {
        let root = keccak(&[&[0x80]]);
        assert_eq!(follow(&root, b"a", &[]), Ok(None));
        assert_eq!(follow(&root, b"a", &[vec![0x80]]), Ok(None));
        assert!(follow(&root, b"a", &sample(1).path(&[0; 4])).is_err());
    }

    #[test]
    fn what_is_not_the_tries() {
        let trie = sample(300);
        let root = trie.root();
        let key = 7u32.to_be_bytes();
        let nodes = trie.path(&key);
        assert!(nodes.len() >= 2);
        assert!(follow(&[0; 32], &key, &nodes).is_err(), "another root");
        assert!(follow(&root, &key, &nodes[..nodes.len() - 1]).is_err(), "cut off");
        assert!(follow(&root, &key, &[&nodes[..], &nodes[..1]].concat()).is_err(), "one too many");
        assert!(follow(&root, &key, &[&nodes[..1], &nodes[..]].concat()).is_err(), "twice");
        assert!(follow(&root, &key, &vec![nodes[0].clone(); 66]).is_err(), "too many");
        for at in 0..nodes.len() {
            for byte in 0..nodes[at].len() {
                let mut bad = nodes.clone();
                bad[at][byte] ^= 1;
                assert!(follow(&root, &key, &bad).is_err(), "node {at}, byte {byte}");
            }
        }
    }

    /// Nodes with the right hashes that no trie has.
    #[test]
    fn what_no_trie_has() {
        let odd = |node: Vec<u8>| follow(&keccak(&[&node]), b"a", &[node]).map(|value| value.map(<[u8]>::to_vec));
        let digits = nibbles(&keccak(&[b"a"]));
        let good = of_list(&[of_bytes(&prefixed(&digits, true)), of_bytes(b"v")]);
        assert_eq!(odd(good), Ok(Some(b"v".to_vec())));
        let mut flags = prefixed(&digits, true);
        flags[0] = 0x40;
        let mut padded = prefixed(&digits, true);
        padded[0] = 0x21;
        let mut branch = vec![vec![0x80]; 16];
        branch.push(of_bytes(b"v"));
        for bad in [
            of_list(&[of_bytes(&prefixed(&digits[..62], true)), of_bytes(b"v")]),
            of_list(&[of_bytes(&flags), of_bytes(b"v")]),
            of_list(&[of_bytes(&padded), of_bytes(b"v")]),
            of_list(&[of_bytes(&prefixed(&[], false)), of_bytes(&[7; 32])]),
            of_list(&[of_bytes(&prefixed(&digits, false)), of_bytes(&[7; 32])]),
            of_list(&[of_bytes(&prefixed(&digits[..2], false)), of_bytes(b"")]),
            of_list(&[of_bytes(&prefixed(&digits[..2], false)), of_bytes(&[7; 31])]),
            of_list(&[of_bytes(&prefixed(&digits[..2], false)), of_list(&[of_bytes(&[7; 40]), of_bytes(b"v")])]),
            of_list(&branch),
            of_list(&[]),
            of_list(&[of_bytes(b"v")]),
            of_bytes(&[7; 40]),
            of_bytes(b""),
        ] {
            // the last one is the empty trie
            assert!(odd(bad.clone()).is_err() || bad == [0x80], "{bad:02x?} was taken");
        }
    }
}
