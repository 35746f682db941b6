//! Many clients under one quote. A TPM makes a few quotes a second; the nonces of those who ask while it is at work become
//! the leaves of a Merkle tree, the next quote answers its root, and each client gets its path.

use crate::{merkle, Sha256};
use serde::{Deserialize, Serialize};

/// Most nonces under one quote.
pub const BATCH_LIMIT: u32 = 1024;

/// What a quote answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// The nonce of one client.
    Nonce(Sha256),
    /// The root over the nonces of several. It has a domain of its own in what the TPM signs: no root can pass for a nonce.
    Batch(Sha256),
}

impl Challenge {
    /// Domain and bytes, as they are bound by the quote.
    pub fn fields(&self) -> [&[u8]; 2] {
        match self {
            Self::Nonce(nonce) => [b"vitrine quote v2", &nonce.0],
            Self::Batch(root) => [b"vitrine batch v1", &root.0],
        }
    }
}

/// Where a client's nonce stands among those of one quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Nonces under the quote, 2 to [`BATCH_LIMIT`].
    pub size: u32,
    /// Which of them, from 0.
    pub index: u32,
    /// From the leaf to the root, lowest first; see [`merkle`].
    pub path: Vec<Sha256>,
}

impl Batch {
    /// What a quote for these nonces answers, and where each of them stands. One nonce needs no tree. None: there are none, or
    /// too many.
    pub fn gather(nonces: &[Sha256]) -> Option<(Challenge, Vec<Option<Self>>)> {
        if let [one] = nonces {
            return Some((Challenge::Nonce(*one), vec![None]));
        }
        let size = u32::try_from(nonces.len()).ok().filter(|&size| size <= BATCH_LIMIT)?;
        let leaves: Vec<Sha256> = nonces.iter().map(|nonce| merkle::leaf(&nonce.0)).collect();
        let places = (0..size).map(|index| Some(Self { size, index, path: merkle::path(&leaves, index as usize)? }));
        Some((Challenge::Batch(merkle::root(&leaves)?), places.collect()))
    }

    /// What the quote has to answer when this nonce is among its own. None: the numbers or the length of the path are none
    /// that [`Batch::gather`] makes.
    pub fn challenge(&self, nonce: &Sha256) -> Option<Challenge> {
        if !(2..=BATCH_LIMIT).contains(&self.size) {
            return None;
        }
        let (index, size) = (self.index.into(), self.size.into());
        merkle::root_of_path(merkle::leaf(&nonce.0), index, size, &self.path).map(Challenge::Batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(count: u32) -> Vec<Sha256> {
        (0..count).map(|n| Sha256::of(&n.to_be_bytes())).collect()
    }

    #[test]
    fn everybody_finds_the_challenge() {
        for count in [2, 3, 32, 100, BATCH_LIMIT] {
            let nonces = nonces(count);
            let (challenge, places) = Batch::gather(&nonces).unwrap();
            assert_eq!(places.len(), nonces.len());
            for (nonce, place) in nonces.iter().zip(places) {
                assert_eq!(place.unwrap().challenge(nonce), Some(challenge));
            }
        }
    }

    #[test]
    fn one_nonce_is_quoted_as_it_is() {
        let nonce = nonces(1)[0];
        assert_eq!(Batch::gather(&[nonce]), Some((Challenge::Nonce(nonce), vec![None])));
        assert_eq!(Batch::gather(&[]), None);
        assert_eq!(Batch::gather(&nonces(BATCH_LIMIT + 1)), None);
    }

    #[test]
    fn places_that_cannot_be() {
        let nonces = nonces(4);
        let (_, places) = Batch::gather(&nonces).unwrap();
        let good = places[2].clone().unwrap();
        let alone = Batch { size: 1, index: 0, path: vec![] };
        let huge = Batch { size: BATCH_LIMIT + 1, index: 0, path: vec![Sha256::ZERO; 11] };
        let behind = Batch { index: 4, ..good.clone() };
        let longer = Batch { path: vec![Sha256::ZERO; 3], ..good.clone() };
        for bad in [alone, huge, behind, longer, Batch { path: vec![], ..good }] {
            assert_eq!(bad.challenge(&nonces[2]), None, "{bad:?}");
        }
    }

    /// Root and nonce are told apart by their domain.
    #[test]
    fn a_root_is_no_nonce() {
        let root = Sha256::of(b"root");
        assert_ne!(Challenge::Batch(root).fields(), Challenge::Nonce(root).fields());
    }
}
