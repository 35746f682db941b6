//! Headers, tries and proofs of EVM chains; the first byte chooses. Invariants, for any bytes:
//! - reading never panics, and ends;
//! - an item is as long as its bytes, and written again as it was;
//! - no path leads to a value from a root that is not the hash of its first node.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_verifier::anchor::evm::header::Header;
use vitrine_verifier::anchor::evm::proof::StateProof;
use vitrine_verifier::anchor::evm::rlp::{item, of_bytes, of_list};
use vitrine_verifier::anchor::evm::trie::follow;
use vitrine_verifier::anchor::evm::{keccak, Address, BlockHash};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    match kind {
        0 => rlp(data),
        1 => {
            let _ = Header::parse(data);
            // its own hash, so that what is behind the comparison is reached
            let _ = Header::of_block(data, &BlockHash(keccak(&[data])));
        }
        2 => proof(data),
        _ => path(data),
    }
});

fn rlp(data: &[u8]) {
    let Ok(whole) = item(data) else { return };
    assert_eq!(whole.whole, data);
    match whole.bytes() {
        Ok(bytes) => assert_eq!(of_bytes(bytes), data),
        Err(_) => {
            let Ok(members) = whole.members(32) else { return };
            let members: Vec<Vec<u8>> = members.iter().map(|member| member.whole.to_vec()).collect();
            assert_eq!(of_list(&members), data);
        }
    }
}

fn proof(data: &[u8]) {
    let Ok(proof) = StateProof::parse(data) else { return };
    let header = Header { number: 1, time: 1, state_root: [7; 32] };
    let nobody = Address([0; 20]);
    assert!(proof.head(&header, &nobody, &[0; 32], &nobody, &[0; 32]).is_err());
}

/// Nodes, each behind its length; the root is the hash of the first one.
fn path(data: &[u8]) {
    let (mut nodes, mut rest) = (Vec::new(), data);
    while let Some((&length, after)) = rest.split_first() {
        let (node, after) = after.split_at(after.len().min(usize::from(length) * 3));
        nodes.push(node.to_vec());
        rest = after;
    }
    let Some(first) = nodes.first() else { return };
    let root = keccak(&[first]);
    let _ = follow(&root, b"key", &nodes);
    let mut other = root;
    other[0] ^= 1;
    assert!(follow(&other, b"key", &nodes).is_err());
}
