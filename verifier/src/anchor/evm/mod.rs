//! Checkpoints in a contract on an EVM chain (Ethereum and others like it).
//!
//! The contract (`contract/CheckpointAnchor.sol`) takes a new head only with a consistency proof from the one before. Here:
//! the bytes that a wallet has to send ([`abi`]), and a check without a network that a head stands in the contract's storage
//! as of a block whose hash the person trusts ([`header`], [`proof`], [`trie`]).

pub mod abi;
pub mod header;
pub mod proof;
pub mod rlp;
pub mod trie;

use serde::Deserialize;
use sha3::{Digest as _, Keccak256};
use std::fmt;
use std::str::FromStr;
use vitrine_attest::digest::{hex, unhex};
use vitrine_attest::{Error, Result};

/// A hash, or a word of storage, big-endian.
pub type Word = [u8; 32];

/// Keccak-256 as Ethereum has it: the padding is older than FIPS 202's.
pub fn keccak(parts: &[&[u8]]) -> Word {
    let mut hash = Keccak256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// What the contract knows a log by: the hash of its name.
pub fn origin(name: &str) -> Word {
    keccak(&[name.as_bytes()])
}

/// `0x…`, with any number of digits that are bytes. Both cases are read: chains' tools write both.
///
/// # Errors
/// What is wrong with it.
pub fn unprefixed(text: &str) -> std::result::Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").ok_or("it does not begin with 0x")?;
    unhex(&digits.to_ascii_lowercase())
}

/// An account: `0x` and 40 hex digits, in small letters or with the checksum of ERC-55.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// Left-padded to a word, as the ABI and mappings have it.
    pub fn word(&self) -> Word {
        let mut word = [0; 32];
        word[12..].copy_from_slice(&self.0);
        word
    }
}

/// With its checksum: a letter is a capital where the hash of the text has a digit of 8 or more.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = hex(&self.0);
        let marks = hex(&keccak(&[plain.as_bytes()]));
        let letter = |(c, mark): (char, u8)| if mark >= b'8' { c.to_ascii_uppercase() } else { c };
        write!(f, "0x{}", plain.chars().zip(marks.bytes()).map(letter).collect::<String>())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let bytes = unprefixed(text)?;
        let address = Self(bytes.try_into().map_err(|_| "an address has 40 hex digits after 0x")?);
        let small = !text[2..].contains(|c: char| c.is_ascii_uppercase());
        if !small && address.to_string() != text {
            return Err("the address's checksum (its capital letters) is wrong: look for a mistyped digit".into());
        }
        Ok(address)
    }
}

/// The hash of a block: `0x` and 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHash(pub Word);

impl FromStr for BlockHash {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(Self(unprefixed(text)?.try_into().map_err(|_| "a block's hash has 64 hex digits after 0x")?))
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex(&self.0))
    }
}

/// Where a publisher's head of a log lies in the contract's storage: two words, one after the other.
///
/// `keccak(origin ‖ keccak(publisher ‖ 0))`: `heads` is the contract's variable 0, a mapping of mappings.
pub fn slots(publisher: &Address, origin: &Word) -> [Word; 2] {
    let inner = keccak(&[&publisher.word(), &[0; 32]]);
    let first = keccak(&[origin, &inner]);
    let mut second = first;
    for byte in second.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    [first, second]
}

/// The contract as it was compiled; `make anchors` compiles it again and compares.
#[derive(Debug, Deserialize)]
pub struct Artefact {
    pub compiler: String,
    /// Hex of what a deployment sends.
    pub bytecode: String,
    /// Hex of what then is the account's code.
    pub runtime: String,
}

impl Artefact {
    /// # Errors
    /// Never, but by a defect of ours.
    pub fn ours() -> Result<Self> {
        serde_json::from_str(include_str!("contract/CheckpointAnchor.json"))
            .map_err(|e| Error::bug(format!("the anchor contract's file: {e}")))
    }

    /// The hash that stands in an account with this code.
    ///
    /// # Errors
    /// As for [`Self::ours`].
    pub fn code_hash(&self) -> Result<Word> {
        let code = unhex(&self.runtime).map_err(|e| Error::bug(format!("the anchor contract's code: {e}")))?;
        Ok(keccak(&[&code]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        assert_eq!(hex(&keccak(&[])), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(hex(&keccak(&[b"a", b"bc"])), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    }

    /// The examples of ERC-55.
    #[test]
    fn addresses() {
        for good in ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"] {
            let address: Address = good.parse().unwrap();
            assert_eq!(address.to_string(), good);
            assert_eq!(good.to_lowercase().parse::<Address>().unwrap(), address);
        }
        for bad in [
            "",
            "0x",
            "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedaa",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeé",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad} was taken");
        }
        assert!("0x00".parse::<BlockHash>().is_err());
    }

    #[test]
    fn the_contract_is_there() {
        let ours = Artefact::ours().unwrap();
        assert!(ours.bytecode.ends_with(&ours.runtime) && ours.runtime.len() > 1000);
        assert_ne!(ours.code_hash().unwrap(), keccak(&[]));
    }
}
