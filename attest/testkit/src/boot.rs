//! One boot of a server: what the firmware measured, what the image recorded, what the server says of itself.

use crate::firmware::{self, Log, SHA256};
use ed25519_dalek::SigningKey;
use vitrine_attest::batch::Challenge;
use vitrine_attest::boot::{BootFacts, BootKeys, BootRecord, RuntimeEvent};
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::{Binding, Evidence, ImageId, VERSION};
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::statement::Release;
use vitrine_attest::{Result, Sha256};

/// Secret half of `sign_pub`, which signs later WireGuard keys.
pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

#[derive(Clone)]
pub struct Boot {
    /// What was measured, in order. What the server tells of it can be changed in the evidence.
    pub log: Log,
    pub record: BootRecord,
    /// Events that the image measured after its record.
    pub later: Vec<RuntimeEvent>,
    pub rotated: Vec<RotatedKey>,
    pub image_id: String,
}

impl Boot {
    /// The boot that `release` predicts, with the attestation key of this name.
    pub fn of(release: &Release, ak_name: Vec<u8>) -> Self {
        let image = &release.image;
        let id = ImageId { name: image.name.clone(), version: image.version.clone(), lock: image.lock };
        let key = |seed| x25519(&[seed; 32]);
        let record = BootRecord {
            config_digest: release.config_digest,
            keys: BootKeys {
                wg_pub: key(1),
                channel_pub: key(2),
                sign_pub: Key32(signing_key().verifying_key().to_bytes()),
                tls_spki: Sha256::of(b"the kit's TLS key"),
            },
            ak_name,
            facts: BootFacts::sealed(),
        };
        Self { log: firmware::genuine(), record, later: vec![], rotated: vec![], image_id: id.to_string() }
    }

    /// Everything that the image records.
    pub fn runtime(&self) -> Result<Vec<RuntimeEvent>> {
        Ok([self.record.events()?, self.later.clone()].concat())
    }

    pub fn binding(&self, challenge: Challenge) -> Binding<'_> {
        Binding {
            challenge,
            keys: &self.record.keys,
            rotated: &self.rotated,
            config_digest: &self.record.config_digest,
            image_id: &self.image_id,
        }
    }

    /// What the quoted registers hold after it, SHA-256.
    pub fn registers(&self) -> Result<PcrValues> {
        let mut values = PcrValues(Pcr::QUOTED.iter().map(|&pcr| (pcr, Sha256::ZERO)).collect());
        for event in self.log.events.iter().filter(|event| event.extends()) {
            let quoted = Pcr::QUOTED.into_iter().find(|pcr| u32::from(pcr.index()) == event.pcr);
            if let (Some(pcr), Some(digest)) = (quoted, event.digest(SHA256)) {
                values.extend(pcr, Sha256(digest.try_into().unwrap_or_default()));
            }
        }
        for event in self.runtime()? {
            values.extend(if event.pcr == 14 { Pcr::FUSE } else { Pcr::RUNTIME }, event.digest);
        }
        Ok(values)
    }

    /// M2 without what the TPM adds.
    pub fn evidence(&self, nonce: &Sha256) -> Result<Evidence> {
        Ok(Evidence {
            v: VERSION,
            nonce: *nonce,
            ek_cert: vec![],
            ek_pub: vec![],
            ak_pub: vec![],
            attest: vec![],
            signature: vec![],
            firmware_log: self.log.bytes(),
            runtime_log: self.runtime()?,
            keys: self.record.keys.clone(),
            rotated: self.rotated.clone(),
            image_id: self.image_id.clone(),
            batch: None,
        })
    }

    /// A later key as PID 1 signs it.
    pub fn later_key(&self, generation: u32) -> RotatedKey {
        let seed = 0x60_u8.wrapping_add(generation.to_be_bytes()[3]);
        RotatedKey::sign(generation, x25519(&[seed; 32]), &self.record.config_digest, &self.record.keys, &signing_key())
    }
}

/// Thirty-two bytes that stand for an X25519 public key: any are one (RFC 7748 §5).
fn x25519(seed: &[u8; 32]) -> Key32 {
    Key32(Sha256::of(seed).0)
}
