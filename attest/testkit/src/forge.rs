//! Attests that no TPM makes, under a key of our own: the signature holds, so that nothing but the defect is wrong.

use crate::{host, sized};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{EcdsaKeyPair, KeyPair as _, ECDSA_P256_SHA256_FIXED_SIGNING};
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::{Result, Sha256};

use crate::machine::Signed;

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign.
const ATTRIBUTES: u32 = 0x0005_0472;
pub const RH_ENDORSEMENT: u32 = 0x4000_000b;
pub const RH_OWNER: u32 = 0x4000_0001;

/// TPMS_ATTEST of a quote, field by field (TPM 2.0 Part 2, §10.12).
#[derive(Clone)]
pub struct Attest {
    pub magic: u32,
    pub kind: u16,
    pub qualified_signer: Vec<u8>,
    pub extra_data: Vec<u8>,
    /// TPMI_YES_NO.
    pub safe: u8,
    pub count: Option<u32>,
    /// Hash and bitmap.
    pub selections: Vec<(u16, Vec<u8>)>,
    pub digest: Vec<u8>,
    pub tail: Vec<u8>,
}

impl Attest {
    /// A quote of the policy's registers by a primary of the endorsement hierarchy.
    pub fn quote(area: &[u8], extra_data: &Sha256, registers: &PcrValues) -> Self {
        let values: Vec<u8> = values(registers);
        Self {
            magic: 0xff54_4347,
            kind: 0x8018,
            qualified_signer: qualified(RH_ENDORSEMENT, area),
            extra_data: extra_data.0.to_vec(),
            safe: 1,
            count: None,
            selections: vec![(0x0b, Pcr::quoted_bitmap().to_vec())],
            digest: Sha256::of(&values).0.to_vec(),
            tail: vec![],
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = [&self.magic.to_be_bytes()[..], &self.kind.to_be_bytes()].concat();
        out.extend([sized(&self.qualified_signer), sized(&self.extra_data)].concat());
        out.extend([&90_000u64.to_be_bytes()[..], &3u32.to_be_bytes(), &0u32.to_be_bytes(), &[self.safe]].concat());
        out.extend(0x2024_0101_0000_0000u64.to_be_bytes());
        let count = u32::try_from(self.selections.len()).unwrap_or(u32::MAX);
        out.extend(self.count.unwrap_or(count).to_be_bytes());
        for (hash, bitmap) in &self.selections {
            out.extend([&hash.to_be_bytes()[..], &[u8::try_from(bitmap.len()).unwrap_or(u8::MAX)], bitmap].concat());
        }
        out.extend([sized(&self.digest), self.tail.clone()].concat());
        out
    }
}

/// The registers of the policy, one after another.
pub fn values(registers: &PcrValues) -> Vec<u8> {
    Pcr::QUOTED.iter().flat_map(|&pcr| registers.get(pcr).unwrap_or(Sha256::ZERO).0).collect()
}

/// Qualified name of a primary of this hierarchy (TPM 2.0 Part 1, "Qualified Name").
pub fn qualified(hierarchy: u32, area: &[u8]) -> Vec<u8> {
    let name = [&[0, 0x0b], &Sha256::of(area).0[..]].concat();
    [&[0, 0x0b], &Sha256::of_parts(&[&hierarchy.to_be_bytes(), &name]).0[..]].concat()
}

/// An attestation key in memory: P-256, and a public area like that of a TPM's.
pub struct Forger {
    key: EcdsaKeyPair,
    /// TPMT_PUBLIC.
    pub area: Vec<u8>,
}

impl Forger {
    pub fn new() -> Result<Self> {
        let rng = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).map_err(host)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &rng).map_err(host)?;
        let area = ecc_area(ATTRIBUTES, &key.public_key().as_ref()[1..]);
        Ok(Self { key, area })
    }

    /// r and s, 32 bytes each.
    pub fn raw(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let fixed = self.key.sign(&SystemRandom::new(), message).map_err(host)?;
        let (r, s) = fixed.as_ref().split_at(32);
        Ok((r.to_vec(), s.to_vec()))
    }

    pub fn sign(&self, attest: &[u8]) -> Result<Signed> {
        let (r, s) = self.raw(attest)?;
        Ok(Signed { attest: attest.to_vec(), signature: ecdsa(0x0b, &r, &s) })
    }
}

/// TPMT_SIGNATURE, ECDSA.
pub fn ecdsa(hash: u16, r: &[u8], s: &[u8]) -> Vec<u8> {
    [&0x0018u16.to_be_bytes()[..], &hash.to_be_bytes(), &sized(r), &sized(s)].concat()
}

/// TPMT_PUBLIC of a P-256 signing key; `point` is x and y.
pub fn ecc_area(attributes: u32, point: &[u8]) -> Vec<u8> {
    let (x, y) = point.split_at(point.len() / 2);
    let head = [&[0, 0x23, 0, 0x0b][..], &attributes.to_be_bytes()].concat();
    [&head[..], &[0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10], &sized(x), &sized(y)].concat()
}

pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(host)?;
    Ok(bytes)
}
