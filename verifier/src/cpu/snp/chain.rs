//! From AMD's root (ARK) to the key that signed a report (AMD publication 57230, "VCEK Certificate and KDS Interface", §2-3).
//!
//! ARK signs ASK (or ASVK), that signs VCEK (or VLEK): RSASSA-PSS with SHA-384 and keys of 4096 bits; the leaf's own key is
//! on P-384. Path, names, dates, CA bits and signatures are webpki's to check; the root is given by the person.

use super::report::Signer;
use crate::outcome::Failure;
use ring::signature::{UnparsedPublicKey, ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA384};
use rustls_pki_types::{
    alg_id, AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, UnixTime,
};
use std::time::Duration;
use vitrine_attest::ek::der;
use webpki::{anchor_from_trusted_cert, EndEntityCert, KeyUsage};

/// 1.3.6.1.4.1.3704.1, AMD's; what follows is the extension (57230, table 9).
const AMD: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];
const PRODUCT: &[u8] = &[2];
const CHIP_ID: &[u8] = &[4];
/// 3.x: a security version each.
const BOOTLOADER: &[u8] = &[3, 1];
const TEE: &[u8] = &[3, 2];
const SNP: &[u8] = &[3, 3];
const MICROCODE: &[u8] = &[3, 8];
const FMC: &[u8] = &[3, 9];
/// A usage that no certificate of AMD's names: a leaf with usages of another kind is refused.
const NO_USAGE: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x7f];

/// RSASSA-PSS-params with SHA-384, MGF1 with SHA-384, a salt of 48 bytes, and the trailer written out, which strict DER
/// leaves away (RFC 4055 §3.1): ARKs, ASKs and the leaves of Milan and Genoa have it so. Turin's are strict.
const PSS_WITH_TRAILER: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, // rsassaPss
    0x30, 0x39, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, // mgf1
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, //
    0xa2, 0x03, 0x02, 0x01, 0x30, 0xa3, 0x03, 0x02, 0x01, 0x01,
]);

#[derive(Debug)]
struct PssWithTrailer;

impl SignatureVerificationAlgorithm for PssWithTrailer {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key).verify(message, signature).map_err(|_| InvalidSignature)
    }
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }
    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        PSS_WITH_TRAILER
    }
}

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[&PssWithTrailer, webpki::ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY];

/// A generation of processors: its TCB_VERSION has a form of its own (ABI, table 3 and its notes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Milan (Zen 3) and Genoa (Zen 4, with Bergamo and Siena).
    MilanGenoa,
    /// Turin (Zen 5), which has a version of its FMC too.
    Turin,
}

/// Security versions of a platform's parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tcb {
    /// Turin only; else 0.
    pub fmc: u8,
    pub bootloader: u8,
    pub tee: u8,
    pub snp: u8,
    pub microcode: u8,
}

impl Tcb {
    /// From a TCB_VERSION.
    pub fn of(product: Product, bytes: [u8; 8]) -> Self {
        let [a, b, c, d, _, _, g, h] = bytes;
        match product {
            Product::MilanGenoa => Self { fmc: 0, bootloader: a, tee: b, snp: g, microcode: h },
            Product::Turin => Self { fmc: a, bootloader: b, tee: c, snp: d, microcode: h },
        }
    }

    /// With its name, for comparing one by one.
    pub fn parts(self) -> [(&'static str, u8); 5] {
        [
            ("fmc", self.fmc),
            ("bootloader", self.bootloader),
            ("tee", self.tee),
            ("snp", self.snp),
            ("microcode", self.microcode),
        ]
    }
}

impl std::fmt::Display for Tcb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, value)) in self.parts().iter().enumerate() {
            write!(f, "{}{name} {value}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A certificate of a signing key, whose chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub product: Product,
    /// As the certificate names it: `Milan-B0`.
    pub product_name: String,
    pub signer: Signer,
    pub tcb: Tcb,
    /// 64 bytes; 8 on Turin. None for a VLEK, which is no chip's.
    pub chip_id: Option<Vec<u8>>,
    /// The uncompressed point, 97 bytes.
    point: Vec<u8>,
}

impl Leaf {
    /// Follows `chain` (DER, the signing key's certificate first) to one of `roots` at the time `now`.
    ///
    /// # Errors
    /// When there is no path, or the leaf is none of AMD's form.
    pub fn verify(chain: &[Vec<u8>], roots: &[Vec<u8>], now: u64) -> Result<Self, Failure> {
        let Some((leaf, others)) = chain.split_first() else { return Err(malformed("there is none".into())) };
        let (der, roots) = (CertificateDer::from(leaf.as_slice()), ders(roots));
        let certificate = EndEntityCert::try_from(&der).map_err(|e| malformed(e.to_string()))?;
        let anchors = roots.iter().map(anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>().map_err(untrusted)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let usage = KeyUsage::required_if_present(NO_USAGE);
        certificate.verify_for_usage(ALGORITHMS, &anchors, &ders(others), now, usage, None, None).map_err(untrusted)?;
        Self::read(leaf)
    }

    fn read(certificate: &[u8]) -> Result<Self, Failure> {
        let name = extension(certificate, PRODUCT).and_then(text).ok_or_else(|| malformed("no product".into()))?;
        let product = match name.split('-').next() {
            Some("Milan" | "Genoa") => Product::MilanGenoa,
            Some("Turin") => Product::Turin,
            _ => return Err(Failure::new("cpu-product-unknown", format!("the certificate is for \"{name}\""))),
        };
        let version = |number: &'static [u8]| {
            extension(certificate, number).and_then(byte).ok_or_else(|| malformed("a version is missing".into()))
        };
        let tcb = Tcb {
            fmc: if product == Product::Turin { version(FMC)? } else { 0 },
            bootloader: version(BOOTLOADER)?,
            tee: version(TEE)?,
            snp: version(SNP)?,
            microcode: version(MICROCODE)?,
        };
        let chip_id = extension(certificate, CHIP_ID).map(<[u8]>::to_vec);
        // a VLEK has the cloud's name (…1.5) instead of a chip's
        let signer = if chip_id.is_some() { Signer::Vcek } else { Signer::Vlek };
        let point = point(certificate).ok_or_else(|| malformed("its key is not on P-384".into()))?;
        Ok(Self { product, product_name: name.into(), signer, tcb, chip_id, point: point.to_vec() })
    }

    /// Whether this key signed `message`; `signature` is `r ‖ s`.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &self.point).verify(message, signature).is_ok()
    }
}

fn ders(certificates: &[Vec<u8>]) -> Vec<CertificateDer<'_>> {
    certificates.iter().map(|bytes| CertificateDer::from(bytes.as_slice())).collect()
}

fn extension<'a>(certificate: &'a [u8], number: &[u8]) -> Option<&'a [u8]> {
    der::extension(certificate, &[AMD, number].concat())
}

/// The content of an IA5String.
fn text(value: &[u8]) -> Option<&str> {
    const IA5_STRING: u8 = 0x16;
    let text = std::str::from_utf8(der::Elements(value).expect(IA5_STRING)?).ok()?;
    (text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// An INTEGER of 0 to 255.
fn byte(value: &[u8]) -> Option<u8> {
    match *der::Elements(value).expect(der::INTEGER)? {
        [low] if low < 0x80 => Some(low),
        [0, high] if high >= 0x80 => Some(high),
        _ => None,
    }
}

/// The uncompressed point of an id-ecPublicKey on secp384r1.
fn point(certificate: &[u8]) -> Option<&[u8]> {
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 0x22];
    let mut info = der::Elements(der::Elements(der::public_key_info(certificate)?).expect(der::SEQUENCE)?);
    let mut algorithm = der::Elements(info.expect(der::SEQUENCE)?);
    let known = algorithm.expect(der::OID)? == EC && algorithm.expect(der::OID)? == P384;
    let (&unused_bits, key) = info.expect(der::BIT_STRING)?.split_first()?;
    (known && unused_bits == 0 && key.len() == 97 && key[0] == 4).then_some(key)
}

fn malformed(what: String) -> Failure {
    Failure::new("cpu-certificate-malformed", format!("certificate of the report's key: {what}"))
}

fn untrusted(error: webpki::Error) -> Failure {
    Failure::new("cpu-chain-untrusted", format!("the certificates do not lead to a root of --cpu-roots: {error}"))
}
