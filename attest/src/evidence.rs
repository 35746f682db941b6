//! The four messages between a verifier and a server (version 2).
//!
//! ```text
//! M1  POST /v1/evidence   EvidenceRequest    →  M2  Evidence
//! M3  POST /v1/activate   ActivationRequest  →  M4  ActivationResponse
//! ```
//! All bodies are JSON. The receiver reads at most [`EVIDENCE_LIMIT`] bytes and refuses unknown fields.

use crate::batch::{Batch, Challenge};
use crate::boot::{BootKeys, RuntimeEvent};
use crate::digest::base64_bytes;
use crate::lengths::prefixed;
use crate::rotation::RotatedKey;
use crate::Sha256;
use serde::{Deserialize, Serialize};

/// Version of these messages.
pub const VERSION: u32 = 2;
/// Largest M2 a verifier reads: a firmware log of 1 MiB in base64 and everything else fit well (check V01).
pub const EVIDENCE_LIMIT: usize = 4 << 20;
/// Largest M1 or M3 an agent reads.
pub const REQUEST_LIMIT: usize = 8 << 10;
/// Path of M1.
pub const EVIDENCE_PATH: &str = "/v1/evidence";
/// Path of M3.
pub const ACTIVATE_PATH: &str = "/v1/activate";
/// Path of the owner's sealed orders, see `order`.
pub const ORDER_PATH: &str = "/v1/order";

/// M1. The nonce is 32 random bytes, as hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRequest {
    pub v: u32,
    pub nonce: Sha256,
}

/// M2. Everything here is untrusted until the verifier has checked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub v: u32,
    /// The nonce of M1, sent back so that a stored evidence file is complete.
    pub nonce: Sha256,
    /// EK certificate as read from NV, DER; NV may pad it with zeros or ones. Empty: this TPM has none.
    #[serde(with = "base64_bytes")]
    pub ek_cert: Vec<u8>,
    /// TPMT_PUBLIC of the endorsement key.
    #[serde(with = "base64_bytes")]
    pub ek_pub: Vec<u8>,
    /// TPMT_PUBLIC of the attestation key.
    #[serde(with = "base64_bytes")]
    pub ak_pub: Vec<u8>,
    /// TPMS_ATTEST, the very bytes that are signed.
    #[serde(with = "base64_bytes")]
    pub attest: Vec<u8>,
    /// TPMT_SIGNATURE.
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
    /// The firmware's event log, `binary_bios_measurements`.
    #[serde(with = "base64_bytes")]
    pub firmware_log: Vec<u8>,
    /// The image's own events, see [`crate::boot`].
    pub runtime_log: Vec<RuntimeEvent>,
    pub keys: BootKeys,
    /// WireGuard keys made since, oldest first; at most [`crate::rotation::MOST_LIVE`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotated: Vec<RotatedKey>,
    /// See [`ImageId`].
    pub image_id: String,
    /// Where the nonce stands when the quote answers several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
}

impl Evidence {
    /// What the quote has to answer when it was made for this nonce. None: [`Evidence::batch`] cannot be.
    pub fn challenge(&self, nonce: &Sha256) -> Option<Challenge> {
        self.batch.as_ref().map_or(Some(Challenge::Nonce(*nonce)), |batch| batch.challenge(nonce))
    }
}

/// M3. The credential is made by the verifier for this EK and this AK (TPM 2.0 Part 1, §24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationRequest {
    pub v: u32,
    /// SHA-256 over the bodies of M1 and M2 as they were on the wire: `SHA-256(SHA-256(M1) ‖ SHA-256(M2))`.
    pub transcript: Sha256,
    /// TPM2B_ID_OBJECT.
    #[serde(with = "base64_bytes")]
    pub credential: Vec<u8>,
    /// TPM2B_ENCRYPTED_SECRET.
    #[serde(with = "base64_bytes")]
    pub secret: Vec<u8>,
}

/// M4. `HMAC-SHA256(s, "vitrine activate v1\0" ‖ SHA-256(M3))`, M3 as it was on the wire, s the activated secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationResponse {
    pub v: u32,
    pub proof: Sha256,
}

/// The nonce of evidence that is dated by a log's checkpoint: `SHA-256(L("vitrine beacon v1") ‖ L(note))`, the note with its
/// signatures, as it is published.
pub fn beacon_nonce(note: &[u8]) -> Sha256 {
    Sha256::of(&prefixed(&[b"vitrine beacon v1", note]))
}

/// Prefix of the HMAC input in M4.
pub const ACTIVATE_DOMAIN: &[u8] = b"vitrine activate v1\0";

/// `transcript` of M3.
pub fn transcript(m1: &[u8], m2: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&Sha256::of(m1).0, &Sha256::of(m2).0])
}

/// What the TPM signs as `extraData`: the challenge and everything that must not be swapped.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    pub challenge: Challenge,
    pub keys: &'a BootKeys,
    pub rotated: &'a [RotatedKey],
    pub config_digest: &'a Sha256,
    pub image_id: &'a str,
}

impl Binding<'_> {
    /// `SHA-256(L(domain) ‖ L(nonce or root) ‖ L(wg_pub) ‖ L(channel_pub) ‖ L(sign_pub) ‖ L(tls_spki) ‖ L(config_digest) ‖
    /// L(image_id) ‖ L(rotated₀) ‖ …)`, a rotated key as in [`RotatedKey::bytes`].
    pub fn extra_data(&self) -> Sha256 {
        let rotated: Vec<Vec<u8>> = self.rotated.iter().map(RotatedKey::bytes).collect();
        let mut fields = self.challenge.fields().to_vec();
        fields.extend(self.keys.fields());
        fields.extend([&self.config_digest.0[..], self.image_id.as_bytes()]);
        fields.extend(rotated.iter().map(Vec::as_slice));
        Sha256::of(&prefixed(&fields))
    }
}

/// Which image a server says it runs: `<name> <version> <lock digest>`, from the image's os-release.
/// An image cannot hold the hash of the statement that describes it; the lock's digest it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageId {
    pub name: String,
    pub version: String,
    pub lock: Sha256,
}

impl std::fmt::Display for ImageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.name, self.version, self.lock)
    }
}

/// Development images (console, shell) carry a name that says so, and are refused by it: `dev` or `dev-…`.
pub fn is_dev_name(name: &str) -> bool {
    name == "dev" || name.starts_with("dev-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Key32;

    #[test]
    fn every_field_moves_extra_data() {
        let (n, d) = (Sha256::of(b"n"), Sha256::of(b"d"));
        let key = Key32([1; 32]);
        let keys = BootKeys { wg_pub: key, channel_pub: key, sign_pub: key, tls_spki: n };
        let base = Binding {
            challenge: Challenge::Nonce(n),
            keys: &keys,
            rotated: &[],
            config_digest: &d,
            image_id: "exit 1 x",
        };
        let other = Key32([2; 32]);
        let other_keys = [
            BootKeys { wg_pub: other, ..keys.clone() },
            BootKeys { channel_pub: other, ..keys.clone() },
            BootKeys { sign_pub: other, ..keys.clone() },
            BootKeys { tls_spki: d, ..keys.clone() },
        ];
        let rotated = [RotatedKey { generation: 1, wg_pub: key, signature: [0; 64] }];
        let more = [
            Binding { challenge: Challenge::Nonce(d), ..base },
            Binding { challenge: Challenge::Batch(n), ..base },
            Binding { rotated: &rotated, ..base },
            Binding { config_digest: &n, ..base },
            Binding { image_id: "exit 2 x", ..base },
        ];
        for binding in other_keys.iter().map(|keys| Binding { keys, ..base }).chain(more) {
            assert_ne!(binding.extra_data(), base.extra_data());
        }
    }

    #[test]
    fn dev_names() {
        assert!(is_dev_name("dev") && is_dev_name("dev-exit"));
        assert!(!is_dev_name("exit") && !is_dev_name("device"));
    }
}
