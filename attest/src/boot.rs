//! PCR 15: what the image itself records at boot, before any network interface is up.
//!
//! Exactly three events in this order: `config`, `keys`, `cap`. A fourth, or another order, is refused
//! by the verifier, so a later swap of keys shows for ever.

use crate::canonical::to_canonical_json;
use crate::digest::Key32;
use crate::lengths::prefixed;
use crate::pcr::extend;
use crate::{Result, Sha256};
use serde::{Deserialize, Serialize};

/// Separates these digests from every other use of SHA-256.
const DOMAIN: &[u8] = b"vitrine pcr15 v2";

/// One event of the runtime log. `body` is what was hashed; `pcr` is extended with `SHA-256(body)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeEvent {
    /// 0, 1, 2; 3 is the watch's, see [`crate::watch`].
    pub seq: u32,
    /// 15; 14 for the watch's.
    pub pcr: u8,
    pub digest: Sha256,
    #[serde(with = "crate::digest::base64_bytes")]
    pub body: Vec<u8>,
}

/// The facts of this boot that the image looked up before it measured itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootFacts {
    /// Names in `/sys/block`, sorted. Empty in an image without disk drivers, whatever is plugged in.
    pub block_devices: Vec<String>,
    /// `kernel.modules_disabled` is 1.
    pub modules_locked: bool,
    /// `/` is mounted read-only.
    pub root_read_only: bool,
    /// Active swap areas from `/proc/swaps`.
    pub swap: Vec<String>,
}

impl BootFacts {
    /// The only facts a verifier accepts.
    pub fn sealed() -> Self {
        Self { block_devices: vec![], modules_locked: true, root_read_only: true, swap: vec![] }
    }
}

/// Public halves of the keys that PID 1 made in RAM at this boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootKeys {
    /// WireGuard's, generation 0; see [`crate::rotation`] for the later ones.
    pub wg_pub: Key32,
    /// X25519 public key to which the owner's orders are sealed.
    pub channel_pub: Key32,
    /// Ed25519 public key that signs the later WireGuard keys of this boot. Only PID 1 has its secret half: the agent,
    /// which speaks to strangers and to the TPM, cannot put a key of its own in their place.
    pub sign_pub: Key32,
    /// SHA-256 of the SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER, of the TLS key (ECDSA P-256).
    pub tls_spki: Sha256,
}

impl BootKeys {
    /// In the order in which they are hashed everywhere.
    pub fn fields(&self) -> [&[u8]; 4] {
        [&self.wg_pub.0, &self.channel_pub.0, &self.sign_pub.0, &self.tls_spki.0]
    }
}

/// What the three events bind together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootRecord {
    pub config_digest: Sha256,
    pub keys: BootKeys,
    /// TPM name of the attestation key: `000B ‖ SHA-256(public area)`, 34 bytes.
    pub ak_name: Vec<u8>,
    pub facts: BootFacts,
}

impl BootRecord {
    /// The three events. Bodies: `L(domain) ‖ L(type) ‖ L(field)…`, see [`prefixed`].
    pub fn events(&self) -> Result<Vec<RuntimeEvent>> {
        let facts = to_canonical_json(&self.facts)?;
        let facts_digest = Sha256::of(&facts);
        let bodies = [
            prefixed(&[DOMAIN, b"config", &self.config_digest.0]),
            prefixed(&[&[DOMAIN, b"keys"], self.keys.fields().as_slice(), &[&self.ak_name]].concat()),
            prefixed(&[DOMAIN, b"cap", &facts_digest.0]),
        ];
        Ok(bodies
            .into_iter()
            .zip(0..)
            .map(|(body, seq)| RuntimeEvent { seq, pcr: 15, digest: Sha256::of(&body), body })
            .collect())
    }

    /// The value PCR 15 has after [`Self::events`].
    pub fn pcr15(&self) -> Result<Sha256> {
        Ok(self.events()?.iter().fold(Sha256::ZERO, |value, event| extend(value, event.digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> BootRecord {
        BootRecord {
            config_digest: Sha256::of(b"config"),
            keys: BootKeys {
                wg_pub: Key32([1; 32]),
                channel_pub: Key32([2; 32]),
                sign_pub: Key32([3; 32]),
                tls_spki: Sha256([4; 32]),
            },
            ak_name: vec![3; 34],
            facts: BootFacts::sealed(),
        }
    }

    #[test]
    fn every_field_moves_pcr15() {
        let base = record().pcr15().unwrap();
        let mut others = vec![record(); 7];
        others[0].config_digest = Sha256::ZERO;
        others[1].keys.wg_pub = Key32([9; 32]);
        others[2].keys.channel_pub = Key32([9; 32]);
        others[3].ak_name = vec![4; 34];
        others[4].facts.modules_locked = false;
        others[5].keys.sign_pub = Key32([9; 32]);
        others[6].keys.tls_spki = Sha256::ZERO;
        for other in others {
            assert_ne!(other.pcr15().unwrap(), base);
        }
    }

    /// If you meant to change the format: give [`DOMAIN`] a new version and update this value.
    #[test]
    fn pinned_value() {
        assert_eq!(
            record().pcr15().unwrap().to_string(),
            "5c297e0796d9b2f510fd7f77b61639a0535020f0d4229dc83656130988e566e4"
        );
    }
}
