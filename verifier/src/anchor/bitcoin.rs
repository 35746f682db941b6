//! Headers of Bitcoin's blocks: 80 bytes, with the root over the block's transactions.

use vitrine_attest::digest::hex;
use vitrine_attest::Sha256;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 80;

/// What is of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Root over the transactions, in the order of its bytes in the header; block explorers show it backwards.
    pub merkle_root: [u8; 32],
    /// Seconds since 1970 as the block's maker says: not before the middle of the eleven blocks before it, and not more than
    /// two hours beyond the clocks of those who took it.
    pub time: u32,
    hash: [u8; 32],
}

impl Header {
    /// Does **not** prove that the block is in Bitcoin's chain: anybody can write 80 bytes. The person compares the block's hash
    /// with a node of their own, or with several block explorers.
    ///
    /// # Errors
    /// When these are not 80 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; HEADER_BYTES] =
            bytes.try_into().map_err(|_| format!("a header has {HEADER_BYTES} bytes, this has {}", bytes.len()))?;
        let mut merkle_root = [0; 32];
        merkle_root.copy_from_slice(&bytes[36..68]);
        let time = u32::from_le_bytes([bytes[68], bytes[69], bytes[70], bytes[71]]);
        Ok(Self { merkle_root, time, hash: Sha256::of(&Sha256::of(bytes).0).0 })
    }

    /// The block's hash as people see it: backwards, so that the zeros of its work come first.
    pub fn block_hash(&self) -> String {
        backwards(&self.hash)
    }
}

/// Hex of the bytes in the other order.
pub fn backwards(bytes: &[u8; 32]) -> String {
    let mut bytes = *bytes;
    bytes.reverse();
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::digest::unhex;

    /// Bitcoin's first block.
    #[test]
    fn the_first_block() {
        let text = format!(
            "01000000{}3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
            "0".repeat(64)
        );
        let header = Header::parse(&unhex(&text).unwrap()).unwrap();
        assert_eq!(header.block_hash(), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
        let root = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
        assert_eq!((backwards(&header.merkle_root).as_str(), header.time), (root, 1_231_006_505));
        for length in [0, 79, 81] {
            assert!(Header::parse(&vec![0; length]).is_err());
        }
    }
}
