//! WireGuard keys made after the boot: PCR 15 cannot be reset, so they are signed by a key that it holds.
//!
//! ```json
//! {"generation":1,"wg_pub":"…=","signature":"…=="}
//! ```
//! Generation 0 is the key of the boot record. The configuration says when a generation begins and on which ports it
//! listens ([`crate::config::Rotation`]).

use crate::boot::BootKeys;
use crate::digest::Key32;
use crate::lengths::prefixed;
use crate::{Error, Result, Sha256};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Separates these signatures from every other use.
const DOMAIN: &[u8] = b"vitrine rotation v1";
/// The newest generation, and the one before it while they overlap.
pub const MOST_LIVE: usize = 2;

/// One later key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotatedKey {
    /// 1 and up.
    pub generation: u32,
    pub wg_pub: Key32,
    /// Ed25519, by the boot's signing key.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub signature: [u8; 64],
}

impl RotatedKey {
    /// Signs the public half of a new key. The configuration's digest and the boot's first key bind it to one boot.
    pub fn sign(generation: u32, wg_pub: Key32, config_digest: &Sha256, boot: &BootKeys, by: &SigningKey) -> Self {
        let signature = by.sign(&signed(generation, &wg_pub, config_digest, boot)).to_bytes();
        Self { generation, wg_pub, signature }
    }

    /// # Errors
    /// When the signature is not that of this boot's signing key over exactly this.
    pub fn verify(&self, config_digest: &Sha256, boot: &BootKeys) -> Result<()> {
        let wrong = || {
            Error::artefact(
                format!("WireGuard key of generation {} is not signed by this boot's key", self.generation),
                "do not use this server: its agent offers a key that PID 1 did not make",
            )
        };
        let by = VerifyingKey::from_bytes(&boot.sign_pub.0).map_err(|_| wrong())?;
        let message = signed(self.generation, &self.wg_pub, config_digest, boot);
        by.verify_strict(&message, &Signature::from_bytes(&self.signature)).map_err(|_| wrong())
    }

    /// `generation[4, big-endian] ‖ wg_pub ‖ signature`, for [`crate::evidence::Binding`].
    pub fn bytes(&self) -> Vec<u8> {
        [&self.generation.to_be_bytes()[..], &self.wg_pub.0, &self.signature].concat()
    }
}

/// `L(DOMAIN) ‖ L(config_digest) ‖ L(boot keys)… ‖ L(generation[4, big-endian]) ‖ L(wg_pub)`.
fn signed(generation: u32, wg_pub: &Key32, config_digest: &Sha256, boot: &BootKeys) -> Vec<u8> {
    let generation = generation.to_be_bytes();
    let mut fields: Vec<&[u8]> = vec![DOMAIN, &config_digest.0];
    fields.extend(boot.fields());
    fields.extend([&generation[..], &wg_pub.0]);
    prefixed(&fields)
}

/// What is wrong with a list of rotated keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// More than [`MOST_LIVE`]; how many.
    TooMany(usize),
    /// They do not rise by one from 1.
    Generations,
    /// The key of this generation is not signed by this boot's signing key.
    Signature(u32),
}

impl Wrong {
    /// Stable code for reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooMany(_) => "rotation-too-many",
            Self::Generations => "rotation-generations-differ",
            Self::Signature(_) => "rotation-signature-invalid",
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooMany(count) => write!(f, "{count} rotated keys, at most {MOST_LIVE} can live"),
            Self::Generations => f.write_str("generations of the rotated keys do not rise by one from 1"),
            Self::Signature(generation) => {
                write!(f, "WireGuard key of generation {generation} is not signed by this boot's key")
            }
        }
    }
}

/// The first thing that is wrong with the list of an evidence message: it has to be short, to rise by one, and each
/// key has to be signed. It does not prove that a key is the newest one: an agent may hold back the latest list.
pub fn problem(rotated: &[RotatedKey], config_digest: &Sha256, boot: &BootKeys) -> Option<Wrong> {
    if rotated.len() > MOST_LIVE {
        return Some(Wrong::TooMany(rotated.len()));
    }
    if rotated.first().is_some_and(|first| first.generation == 0)
        || rotated.windows(2).any(|pair| pair[0].generation.checked_add(1) != Some(pair[1].generation))
    {
        return Some(Wrong::Generations);
    }
    let wrong = |key: &&RotatedKey| key.verify(config_digest, boot).is_err();
    rotated.iter().find(wrong).map(|key| Wrong::Signature(key.generation))
}

/// [`problem`] as an error for people.
///
/// # Errors
/// Names the first thing that is wrong.
pub fn check(rotated: &[RotatedKey], config_digest: &Sha256, boot: &BootKeys) -> Result<()> {
    match problem(rotated, config_digest, boot) {
        None => Ok(()),
        Some(wrong) => Err(Error::artefact(wrong.to_string(), "do not use this server")),
    }
}

/// Generation and key that a new client should use. Call [`check`] first.
pub fn newest(rotated: &[RotatedKey], boot: &BootKeys) -> (u32, Key32) {
    rotated.last().map_or((0, boot.wg_pub), |key| (key.generation, key.wg_pub))
}

fn to_base64<S: Serializer>(signature: &[u8; 64], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    crate::digest::base64_bytes::serialize(signature, serializer)
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<[u8; 64], D::Error> {
    let bytes: Vec<u8> = crate::digest::base64_bytes::deserialize(deserializer)?;
    bytes.try_into().map_err(|_| serde::de::Error::custom("a signature has 64 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn boot() -> BootKeys {
        BootKeys {
            wg_pub: Key32([1; 32]),
            channel_pub: Key32([2; 32]),
            sign_pub: Key32(signer().verifying_key().to_bytes()),
            tls_spki: Sha256::ZERO,
        }
    }

    fn key(generation: u32) -> RotatedKey {
        RotatedKey::sign(generation, Key32([generation as u8; 32]), &Sha256::ZERO, &boot(), &signer())
    }

    #[test]
    fn signed_keys_hold() {
        check(&[], &Sha256::ZERO, &boot()).unwrap();
        check(&[key(4), key(5)], &Sha256::ZERO, &boot()).unwrap();
        assert_eq!(newest(&[key(4), key(5)], &boot()), (5, Key32([5; 32])));
        assert_eq!(newest(&[], &boot()), (0, Key32([1; 32])));
        let json = serde_json::to_string(&key(1)).unwrap();
        assert_eq!(serde_json::from_str::<RotatedKey>(&json).unwrap(), key(1));
    }

    #[test]
    fn other_lists_are_refused() {
        let swapped = RotatedKey { wg_pub: Key32([9; 32]), ..key(1) };
        let other_boot = BootKeys { wg_pub: Key32([9; 32]), ..boot() };
        for (bad, wrong) in [
            (vec![key(0)], Wrong::Generations),
            (vec![key(1), key(1)], Wrong::Generations),
            (vec![key(1), key(3)], Wrong::Generations),
            (vec![key(1), key(2), key(3)], Wrong::TooMany(3)),
            (vec![swapped], Wrong::Signature(1)),
        ] {
            assert_eq!(problem(&bad, &Sha256::ZERO, &boot()), Some(wrong), "{bad:?}");
            assert!(check(&bad, &Sha256::ZERO, &boot()).is_err());
        }
        assert!(check(&[key(1)], &Sha256::of(b"other configuration"), &boot()).is_err());
        assert!(check(&[key(1)], &Sha256::ZERO, &other_boot).is_err(), "a key of another boot");
    }
}
