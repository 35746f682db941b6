//! A maker of processors of our own: ARK, ASK and VCEK in the form of AMD's, and reports that its chips sign. Keys of this
//! test run; nothing here is AMD's.

use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, KeyPair as _, RsaKeyPair, ECDSA_P384_SHA384_FIXED_SIGNING, RSA_PSS_SHA384};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use vitrine_verifier::cpu::snp::SIGNED_LENGTH;

/// Keys and certificates.
pub struct Maker {
    pub root: Vec<u8>,
    pub ask: Vec<u8>,
    ask_key: RsaKeyPair,
    chip_key: EcdsaKeyPair,
    rng: SystemRandom,
}

/// What a VCEK's certificate says.
#[derive(Clone)]
pub struct Chip {
    pub product: &'static str,
    /// fmc, bootloader, tee, snp, microcode; fmc is written for Turin only.
    pub tcb: [u8; 5],
    /// None: a VLEK.
    pub id: Option<Vec<u8>>,
}

impl Chip {
    pub fn milan() -> Self {
        Self { product: "Milan-B0", tcb: [0, 3, 0, 8, 115], id: Some(vec![0xd4; 64]) }
    }

    pub fn turin() -> Self {
        Self { product: "Turin", tcb: [1, 2, 3, 4, 200], id: Some(vec![0x1e; 8]) }
    }

    /// TCB_VERSION.
    fn version(&self) -> [u8; 8] {
        let [fmc, bootloader, tee, snp, microcode] = self.tcb;
        if self.product.starts_with("Turin") {
            [fmc, bootloader, tee, snp, 0, 0, 0, microcode]
        } else {
            [bootloader, tee, 0, 0, 0, 0, snp, microcode]
        }
    }
}

impl Maker {
    pub fn new() -> Self {
        let (ark_key, ask_key) = (rsa_key(), rsa_key());
        let rng = SystemRandom::new();
        let chip = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &rng).unwrap();
        let chip_key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, chip.as_ref(), &rng).unwrap();
        let root = certificate(&rng, &ark_key, "ARK-Test", "ARK-Test", &rsa_info(&ark_key), &authority());
        let ask = certificate(&rng, &ark_key, "ARK-Test", "SEV-Test", &rsa_info(&ask_key), &authority());
        Self { root, ask, ask_key, chip_key, rng }
    }

    /// The chain of this chip's key, leaf first.
    pub fn chain(&self, chip: &Chip) -> Vec<Vec<u8>> {
        let mut extensions =
            vec![extension(&amd(&[2]), &[&[0x16, chip.product.len() as u8], chip.product.as_bytes()].concat())];
        let turin = chip.product.starts_with("Turin");
        for (number, version) in [9u8, 1, 2, 3, 8].into_iter().zip(chip.tcb).filter(|(number, _)| *number != 9 || turin)
        {
            extensions.push(extension(&amd(&[3, number]), &integer(version)));
        }
        extensions.extend(chip.id.iter().map(|id| extension(&amd(&[4]), id)));
        let point = self.chip_key.public_key().as_ref();
        let algorithm = sequence(&[&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], &[6, 5, 0x2b, 0x81, 4, 0, 0x22]]);
        let info = sequence(&[&algorithm, &tagged(3, &[&[0], point].concat())]);
        let leaf = certificate(&self.rng, &self.ask_key, "SEV-Test", "SEV-VCEK", &info, &extensions.concat());
        vec![leaf, self.ask.clone()]
    }

    /// A signed report, version 3, over this report data; `change` comes before the signature.
    pub fn report(&self, chip: &Chip, report_data: &[u8; 64], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut report = vec![0; 0x4a0];
        report[0] = 3;
        report[8..16].copy_from_slice(&(1u64 << 17 | 1 << 16).to_le_bytes()); // SMT, and a bit that is always one
        report[0x34] = 1;
        report[0x48] = if chip.id.is_some() { 0 } else { 1 << 2 };
        report[0x50..0x90].copy_from_slice(report_data);
        report[0x90..0xc0].copy_from_slice(&[0x4d; 48]);
        report[0x180..0x188].copy_from_slice(&chip.version());
        let id = chip.id.clone().unwrap_or_default();
        report[0x1a0..0x1a0 + id.len()].copy_from_slice(&id);
        change(&mut report);
        let signature = self.chip_key.sign(&self.rng, &report[..SIGNED_LENGTH]).unwrap();
        for (half, at) in signature.as_ref().chunks(48).zip([0x2a0, 0x2a0 + 72]) {
            for (byte, place) in half.iter().rev().zip(&mut report[at..]) {
                *place = *byte;
            }
        }
        report
    }
}

fn rsa_key() -> RsaKeyPair {
    let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
    RsaKeyPair::from_der(key.to_pkcs1_der().unwrap().as_bytes()).unwrap()
}

/// id-AMD-SEV, 1.3.6.1.4.1.3704.1, and a number below.
fn amd(number: &[u8]) -> Vec<u8> {
    [&[0x2b, 6, 1, 4, 1, 0x9c, 0x78, 1], number].concat()
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    match content.len() {
        0..=0x7f => [&[tag, length[1]], content].concat(),
        0x80..=0xff => [&[tag, 0x81, length[1]], content].concat(),
        _ => [&[tag, 0x82, length[0], length[1]], content].concat(),
    }
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

fn integer(value: u8) -> Vec<u8> {
    if value < 0x80 {
        vec![2, 1, value]
    } else {
        vec![2, 2, 0, value]
    }
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&tagged(6, oid), &tagged(4, value)])
}

/// basicConstraints: a CA.
fn authority() -> Vec<u8> {
    extension(&[0x55, 0x1d, 0x13], &sequence(&[&[1, 1, 0xff]]))
}

fn rsa_info(key: &RsaKeyPair) -> Vec<u8> {
    let algorithm = sequence(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]]);
    sequence(&[&algorithm, &tagged(3, &[&[0], key.public_key().as_ref()].concat())])
}

fn name(common: &str) -> Vec<u8> {
    let attribute = sequence(&[&[6, 3, 0x55, 4, 3], &tagged(0x0c, common.as_bytes())]);
    sequence(&[&tagged(0x31, &attribute)])
}

/// RSASSA-PSS with SHA-384 as AMD writes it, its trailer written out.
fn pss() -> Vec<u8> {
    let sha384 = sequence(&[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0]]);
    let mgf1 = sequence(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8], &sha384]);
    let parameters = sequence(&[
        &tagged(0xa0, &sha384),
        &tagged(0xa1, &mgf1),
        &tagged(0xa2, &[2, 1, 48]),
        &tagged(0xa3, &[2, 1, 1]),
    ]);
    sequence(&[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], &parameters])
}

fn certificate(
    rng: &SystemRandom,
    issuer_key: &RsaKeyPair,
    issuer: &str,
    subject: &str,
    info: &[u8],
    extensions: &[u8],
) -> Vec<u8> {
    let validity = sequence(&[&tagged(0x17, b"200101000000Z"), &tagged(0x17, b"491231235959Z")]);
    let tbs = sequence(&[
        &tagged(0xa0, &[2, 1, 2]),
        &integer(0),
        &pss(),
        &name(issuer),
        &validity,
        &name(subject),
        info,
        &tagged(0xa3, &sequence(&[extensions])),
    ]);
    let mut signature = vec![0; issuer_key.public().modulus_len()];
    issuer_key.sign(&RSA_PSS_SHA384, rng, &tbs, &mut signature).unwrap();
    sequence(&[&tbs, &pss(), &tagged(3, &[&[0], signature.as_slice()].concat())])
}
