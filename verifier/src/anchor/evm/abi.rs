//! The calls of the anchor contract, as bytes (Solidity's contract ABI): four bytes that name the function, then words.

use super::{keccak, Word};
use vitrine_attest::Sha256;

/// `anchor(bytes32 origin, uint64 oldSize, uint64 newSize, bytes32 newRoot, bytes32[] proof)`
pub fn anchor(origin: &Word, old: u64, new: u64, root: &Sha256, proof: &[Sha256]) -> Vec<u8> {
    let mut call = selector("anchor(bytes32,uint64,uint64,bytes32,bytes32[])").to_vec();
    // the list comes after the five words of the head, at byte 160: its length, then its members
    for word in [*origin, number(old), number(new), root.0, number(160), number(proof.len() as u64)] {
        call.extend(word);
    }
    for hash in proof {
        call.extend(hash.0);
    }
    call
}

fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak(&[signature.as_bytes()]);
    [a, b, c, d]
}

fn number(value: u64) -> Word {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::digest::hex;

    #[test]
    fn a_call() {
        let call = anchor(&[0xaa; 32], 1, 0x1234, &Sha256([0xbb; 32]), &[Sha256([0xcc; 32]), Sha256([0xdd; 32])]);
        let expected = [
            "14017c31".into(), // as the compiler names it, in the contract's file
            "aa".repeat(32),
            format!("{:064x}", 1),
            format!("{:064x}", 0x1234),
            "bb".repeat(32),
            format!("{:064x}", 160),
            format!("{:064x}", 2),
            "cc".repeat(32),
            "dd".repeat(32),
        ];
        assert_eq!(hex(&call), expected.concat());
        assert!(include_str!("contract/CheckpointAnchor.json").contains("bytes32[])\": \"14017c31\""));
    }
}
