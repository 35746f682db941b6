//! A TPM in software, written from the specification and not from our own reader of it.

use cfb_mode::cipher::{AsyncStreamCipher as _, KeyIvInit as _};
use hmac::{Hmac, Mac as _};
use p256::pkcs8::DecodePrivateKey as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData as _,
};
use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, KeyPair as _, ECDSA_P256_SHA256_FIXED_SIGNING};
use sha2::{Digest as _, Sha256 as Hash};
use vitrine_attest::ek::Roots;
use vitrine_attest::pcr::{Pcr, PcrValues};
use vitrine_attest::Sha256;

pub const EK_ATTRIBUTES: u32 = 0x0003_00b2;
pub const AK_ATTRIBUTES: u32 = 0x0005_0472;
const RH_ENDORSEMENT: u32 = 0x4000_000b;
const POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7,
    0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// What the TPM puts into a quote; each field can be made wrong.
#[derive(Clone)]
pub struct Parts {
    pub magic: u32,
    pub kind: u16,
    pub hierarchy: u32,
    pub extra_data: Option<Vec<u8>>,
    pub safe: u8,
    pub clock: u64,
    pub reset_count: u32,
    pub restart_count: u32,
    pub firmware_version: u64,
    /// `(hash, bitmap)`; the digest is always over the policy's registers unless given.
    pub selections: Vec<(u16, Vec<u8>)>,
    pub digest: Option<Vec<u8>>,
    pub tail: Vec<u8>,
    pub algorithm: u16,
    pub hash: u16,
    /// Values instead of the measured ones.
    pub fuse: Option<Sha256>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            magic: 0xff54_4347,
            kind: 0x8018,
            hierarchy: RH_ENDORSEMENT,
            extra_data: None,
            safe: 1,
            clock: 0x1000,
            reset_count: 3,
            restart_count: 1,
            firmware_version: 0x2024_0101_0000_0000,
            selections: vec![(0x0b, vec![0x90, 0xfa, 0])],
            digest: None,
            tail: vec![],
            algorithm: 0x18,
            hash: 0x0b,
            fuse: None,
        }
    }
}

pub struct Tpm {
    ca: Vec<u8>,
    pub ek_cert: Vec<u8>,
    pub ek_area: Vec<u8>,
    pub ak_area: Vec<u8>,
    ek: p256::SecretKey,
    ak: EcdsaKeyPair,
}

impl Tpm {
    pub fn new() -> Self {
        let rng = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        let ak = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &rng).unwrap();
        let ek = KeyPair::generate().unwrap();
        let (ca, ek_cert) = certificates(&ek);
        Self {
            ca,
            ek_cert,
            ek_area: ek_area(ek.der_bytes()),
            ak_area: ak_area(ak.public_key().as_ref()),
            ek: p256::SecretKey::from_pkcs8_der(&ek.serialize_der()).unwrap(),
            ak,
        }
    }

    pub fn roots(&self) -> Roots {
        Roots::parse(&self.ca).unwrap()
    }

    pub fn ca(&self) -> &[u8] {
        &self.ca
    }

    /// Changes the attributes in a public area.
    pub fn set_attributes(area: &mut [u8], attributes: u32) {
        area[4..8].copy_from_slice(&attributes.to_be_bytes());
    }

    /// TPMS_ATTEST and TPMT_SIGNATURE.
    pub fn quote(&self, extra_data: &Sha256, registers: &PcrValues, parts: &Parts) -> (Vec<u8>, Vec<u8>) {
        let attest = self.attest(extra_data, registers, parts);
        let signature = self.sign(&attest, parts);
        (attest, signature)
    }

    pub fn sign(&self, attest: &[u8], parts: &Parts) -> Vec<u8> {
        let fixed = self.ak.sign(&SystemRandom::new(), attest).unwrap();
        let (r, s) = fixed.as_ref().split_at(32);
        [&parts.algorithm.to_be_bytes()[..], &parts.hash.to_be_bytes(), &sized(r), &sized(s)].concat()
    }

    fn attest(&self, extra_data: &Sha256, registers: &PcrValues, parts: &Parts) -> Vec<u8> {
        let mut out = [&parts.magic.to_be_bytes()[..], &parts.kind.to_be_bytes()].concat();
        let qualified = name(&[&parts.hierarchy.to_be_bytes()[..], &name(&self.ak_area)].concat());
        out.extend(sized(&qualified));
        out.extend(sized(parts.extra_data.as_deref().unwrap_or(&extra_data.0)));
        out.extend(parts.clock.to_be_bytes());
        out.extend(parts.reset_count.to_be_bytes());
        out.extend(parts.restart_count.to_be_bytes());
        out.push(parts.safe);
        out.extend(parts.firmware_version.to_be_bytes());
        out.extend((parts.selections.len() as u32).to_be_bytes());
        for (hash, bitmap) in &parts.selections {
            out.extend(hash.to_be_bytes());
            out.push(bitmap.len() as u8);
            out.extend(bitmap);
        }
        let mut hash = Hash::new();
        for pcr in Pcr::QUOTED {
            let measured = registers.get(pcr).unwrap_or(Sha256::ZERO);
            hash.update(if pcr == Pcr::FUSE { parts.fuse.unwrap_or(measured).0 } else { measured.0 });
        }
        out.extend(sized(parts.digest.as_deref().unwrap_or(&hash.finalize())));
        out.extend(&parts.tail);
        out
    }

    /// TPM2_ActivateCredential: none when it was not made for this EK and this AK.
    pub fn activate(&self, id_object: &[u8], encrypted_secret: &[u8]) -> Option<[u8; 32]> {
        let point = encrypted_secret.get(2..)?;
        let (x, y) = (point.get(2..34)?, point.get(36..68)?);
        let sec1 = [&[4], x, y].concat();
        let peer = p256::PublicKey::from_sec1_bytes(&sec1).ok()?;
        let z = p256::ecdh::diffie_hellman(self.ek.to_nonzero_scalar(), peer.as_affine());
        let own_x = &self.ek_area[self.ek_area.len() - 66..][..32];
        let mut seed = Hash::new();
        for part in [&[0, 0, 0, 1][..], z.raw_secret_bytes(), b"IDENTITY\0", x, own_x] {
            seed.update(part);
        }
        let seed = seed.finalize();
        let ak_name = name(&self.ak_area);
        let (integrity, encrypted) = (id_object.get(4..36)?, id_object.get(36..)?);
        let hmac_key = mac(&seed, &[&[0, 0, 0, 1], b"INTEGRITY\0", &256u32.to_be_bytes()]);
        if mac(&hmac_key, &[encrypted, &ak_name]) != integrity {
            return None;
        }
        let key = mac(&seed, &[&[0, 0, 0, 1], b"STORAGE\0", &ak_name, &128u32.to_be_bytes()]);
        let mut plain = encrypted.to_vec();
        let cipher = cfb_mode::Decryptor::<aes::Aes128>::new_from_slices(&key[..16], &[0; 16]).unwrap();
        cipher.decrypt(&mut plain);
        plain.get(2..)?.try_into().ok()
    }
}

fn certificates(ek: &KeyPair) -> (Vec<u8>, Vec<u8>) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "a vendor of mock TPMs");
    let root = ca.self_signed(&ca_key).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 1])];
    let leaf = leaf.signed_by(ek, &Issuer::new(ca, ca_key)).unwrap();
    (root.der().to_vec(), leaf.der().to_vec())
}

/// `point` is SEC 1, uncompressed.
fn ek_area(point: &[u8]) -> Vec<u8> {
    let mut area = vec![0, 0x23, 0, 0x0b];
    area.extend(EK_ATTRIBUTES.to_be_bytes());
    area.extend(sized(&POLICY));
    area.extend([0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10]);
    area.extend([sized(&point[1..33]), sized(&point[33..])].concat());
    area
}

fn ak_area(point: &[u8]) -> Vec<u8> {
    let mut area = vec![0, 0x23, 0, 0x0b];
    area.extend(AK_ATTRIBUTES.to_be_bytes());
    area.extend([0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10]);
    area.extend([sized(&point[1..33]), sized(&point[33..])].concat());
    area
}

fn name(bytes: &[u8]) -> Vec<u8> {
    [&[0, 0x0b], Hash::digest(bytes).as_slice()].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <Hmac<Hash> as hmac::Mac>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

pub fn x25519_public(secret: &[u8; 32]) -> [u8; 32] {
    x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*secret)).to_bytes()
}
