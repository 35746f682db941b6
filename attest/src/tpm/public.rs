//! TPMT_PUBLIC: the public area of a key (Part 2 §12.2.4), and its name (Part 1, "Names").

use super::reader::{Malformed, Read, Reader};
use super::{alg, CURVE_P256, RH_ENDORSEMENT};
use crate::Sha256;

/// Bits of TPMA_OBJECT (Part 2 §8.3).
pub mod attribute {
    pub const FIXED_TPM: u32 = 1 << 1;
    pub const FIXED_PARENT: u32 = 1 << 4;
    pub const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
    pub const USER_WITH_AUTH: u32 = 1 << 6;
    pub const ADMIN_WITH_POLICY: u32 = 1 << 7;
    pub const NO_DA: u32 = 1 << 10;
    pub const RESTRICTED: u32 = 1 << 16;
    pub const DECRYPT: u32 = 1 << 17;
    pub const SIGN: u32 = 1 << 18;

    const NAMES: [(u32, &str); 9] = [
        (FIXED_TPM, "fixedTPM"),
        (FIXED_PARENT, "fixedParent"),
        (SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"),
        (USER_WITH_AUTH, "userWithAuth"),
        (ADMIN_WITH_POLICY, "adminWithPolicy"),
        (NO_DA, "noDA"),
        (RESTRICTED, "restricted"),
        (DECRYPT, "decrypt"),
        (SIGN, "sign"),
    ];

    /// The names of the bits that are set; bits that we have no name for as one hex number.
    pub fn names(bits: u32) -> String {
        let known = NAMES.iter().fold(0, |all, (bit, _)| all | bit);
        let mut names: Vec<String> =
            NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).into()).collect();
        if bits & !known != 0 {
            names.push(format!("{:#x}", bits & !known));
        }
        names.join(" ")
    }
}

/// Longest hash in a TPM (SHA-512).
const DIGEST_LIMIT: usize = 64;
/// Longest RSA modulus that is read: 8192 bits, what ring verifies.
const RSA_LIMIT: usize = 1024;
/// Longest coordinate: P-521.
const COORDINATE_LIMIT: usize = 66;

/// TPMT_SYM_DEF_OBJECT of a storage or endorsement key; none for a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symmetric {
    pub algorithm: u16,
    pub bits: u16,
    pub mode: u16,
}

/// What is particular to elliptic-curve keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EccParameters {
    pub curve: u16,
    /// Coordinates without a fixed length: a TPM may drop leading zeros.
    pub x: Vec<u8>,
    pub y: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    Rsa {
        bits: u16,
        /// 0 in the structure stands for 65537 and is given as that.
        exponent: u32,
        modulus: Vec<u8>,
    },
    Ecc(EccParameters),
}

/// A key's public area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    raw: Vec<u8>,
    pub name_alg: u16,
    pub attributes: u32,
    pub auth_policy: Vec<u8>,
    pub symmetric: Option<Symmetric>,
    /// Signing scheme and its hash; none when the key leaves it open.
    pub scheme: Option<(u16, u16)>,
    pub kind: KeyKind,
}

impl Public {
    /// Reads a TPMT_PUBLIC that fills `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("TPMT_PUBLIC", bytes);
        let key_type = reader.u16()?;
        let name_alg = reader.u16()?;
        let attributes = reader.u32()?;
        let auth_policy = reader.sized(DIGEST_LIMIT)?.to_vec();
        let symmetric = symmetric(&mut reader)?;
        let scheme = scheme(&mut reader)?;
        let kind = match key_type {
            alg::RSA => rsa(&mut reader)?,
            alg::ECC => ecc(&mut reader)?,
            other => return Err(reader.fail(format!("{} is no asymmetric key", alg::name(other)))),
        };
        reader.finish()?;
        Ok(Self { raw: bytes.to_vec(), name_alg, attributes, auth_policy, symmetric, scheme, kind })
    }

    /// Reads a TPM2B_PUBLIC: a 16-bit length, then the public area.
    pub fn parse_sized(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("TPM2B_PUBLIC", bytes);
        let area = reader.sized(usize::from(u16::MAX))?;
        reader.finish()?;
        Self::parse(area)
    }

    /// The bytes that were read.
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// `nameAlg ‖ H(public area)`, for SHA-256 only: 34 bytes (Part 1, "Names").
    pub fn name(&self) -> Option<Vec<u8>> {
        (self.name_alg == alg::SHA256).then(|| sized_name(Sha256::of(&self.raw)))
    }

    /// Name of this key as a primary of the endorsement hierarchy: `000B ‖ SHA-256(handle ‖ Name)`
    /// (Part 1, "Qualified Name": that of a hierarchy is its handle).
    pub fn qualified_name(&self) -> Option<Vec<u8>> {
        let name = self.name()?;
        Some(sized_name(Sha256::of_parts(&[&RH_ENDORSEMENT.to_be_bytes(), &name])))
    }

    /// The point in SEC 1's uncompressed form (65 bytes), when this is a P-256 key.
    pub fn p256_point(&self) -> Option<[u8; 65]> {
        let KeyKind::Ecc(EccParameters { curve: CURVE_P256, x, y }) = &self.kind else { return None };
        let mut point = [0; 65];
        point[0] = 4;
        point[1..33].copy_from_slice(&pad32(x)?);
        point[33..].copy_from_slice(&pad32(y)?);
        Some(point)
    }
}

fn sized_name(digest: Sha256) -> Vec<u8> {
    [&alg::SHA256.to_be_bytes()[..], &digest.0].concat()
}

/// A big-endian number of at most 32 bytes as exactly 32.
pub(super) fn pad32(number: &[u8]) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let start = 32usize.checked_sub(number.len())?;
    out[start..].copy_from_slice(number);
    Some(out)
}

fn symmetric(reader: &mut Reader<'_>) -> Read<Option<Symmetric>> {
    match reader.u16()? {
        alg::NULL => Ok(None),
        algorithm => Ok(Some(Symmetric { algorithm, bits: reader.u16()?, mode: reader.u16()? })),
    }
}

/// TPMT_RSA_SCHEME and TPMT_ECC_SCHEME have the same form for every scheme that we read.
fn scheme(reader: &mut Reader<'_>) -> Read<Option<(u16, u16)>> {
    match reader.u16()? {
        alg::NULL => Ok(None),
        id @ (alg::RSASSA | alg::RSAPSS | alg::OAEP | alg::ECDSA) => Ok(Some((id, reader.u16()?))),
        other => Err(reader.fail(format!("scheme {} is not supported", alg::name(other)))),
    }
}

fn rsa(reader: &mut Reader<'_>) -> Read<KeyKind> {
    let bits = reader.u16()?;
    let exponent = match reader.u32()? {
        0 => 65537,
        other => other,
    };
    let modulus = reader.sized(RSA_LIMIT)?.to_vec();
    if modulus.len() != usize::from(bits / 8) || modulus.first().is_none_or(|&top| top < 0x80) {
        return Err(reader.fail(format!("the modulus has not the {bits} bits that are announced")));
    }
    Ok(KeyKind::Rsa { bits, exponent, modulus })
}

fn ecc(reader: &mut Reader<'_>) -> Read<KeyKind> {
    let curve = reader.u16()?;
    let kdf = reader.u16()?;
    if kdf != alg::NULL {
        return Err(reader.fail(format!("KDF {} is not supported", alg::name(kdf))));
    }
    let x = reader.sized(COORDINATE_LIMIT)?.to_vec();
    let y = reader.sized(COORDINATE_LIMIT)?.to_vec();
    Ok(KeyKind::Ecc(EccParameters { curve, x, y }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{hex, unhex};
    use crate::testing::vector;

    /// An AK as tpm2-tools makes it under the endorsement hierarchy, with the key's coordinates.
    const ECC_AK: &str = concat!(
        "0023 000b 00050472 0000 0010 0018 000b 0003 0010",
        "0020aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "001fbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    );

    fn ecc_ak() -> Vec<u8> {
        unhex(&ECC_AK.replace(' ', "")).unwrap()
    }

    #[test]
    fn elliptic_curve_key() {
        let public = Public::parse(&ecc_ak()).unwrap();
        assert_eq!(public.scheme, Some((alg::ECDSA, alg::SHA256)));
        assert_eq!(public.symmetric, None);
        let point = public.p256_point().unwrap();
        assert_eq!((point[0], point[1], point[33], point[34]), (4, 0xaa, 0, 0xbb), "y is padded on the left");
        assert_eq!(
            attribute::names(public.attributes),
            "fixedTPM fixedParent sensitiveDataOrigin userWithAuth noDA restricted sign"
        );
    }

    #[test]
    fn every_cut_and_every_tail_is_refused() {
        let bytes = ecc_ak();
        for length in 0..bytes.len() {
            assert!(Public::parse(&bytes[..length]).is_err(), "{length} bytes were taken");
        }
        assert!(Public::parse(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn real_keys() {
        let (Some(ak), Some(name), Some(ek)) =
            (vector("quote/keylime-ak.pub"), vector("quote/keylime-ak.name"), vector("quote/keylime-ek.pub"))
        else {
            return;
        };
        let ak = Public::parse_sized(&ak).unwrap();
        assert_eq!(hex(&ak.name().unwrap()), hex(&name));
        let ek = Public::parse_sized(&ek).unwrap();
        assert!(matches!(ek.kind, KeyKind::Rsa { bits: 2048, exponent: 65537, .. }));
        assert_eq!(ek.symmetric, Some(Symmetric { algorithm: alg::AES, bits: 128, mode: alg::CFB }));
    }

    #[test]
    fn a_modulus_of_another_length_is_refused() {
        let Some(ek) = vector("quote/keylime-ek.pub") else { return };
        let mut area = ek[2..].to_vec();
        let bits = 2 + 2 + 4 + 2 + 32 + 6 + 2;
        area[bits] = 0x10;
        assert!(Public::parse(&area).unwrap_err().problem.contains("4096 bits"));
    }

    /// Part 1, "Names": computed here with the hash alone.
    #[test]
    fn names_of_a_primary() {
        let bytes = ecc_ak();
        let public = Public::parse(&bytes).unwrap();
        assert_eq!(public.as_bytes(), bytes);
        let name = format!("000b{}", Sha256::of(&bytes));
        assert_eq!(hex(&public.name().unwrap()), name);
        let below = unhex(&format!("4000000b{name}")).unwrap();
        assert_eq!(hex(&public.qualified_name().unwrap()), format!("000b{}", Sha256::of(&below)));
        let sha384 = Public { name_alg: alg::SHA384, ..public };
        assert_eq!((sha384.name(), sha384.qualified_name()), (None, None));
    }

    /// A modulus of n bits has its top bit set.
    #[test]
    fn the_top_bit_of_a_modulus() {
        let area = |top: u8| {
            let head = unhex("0001000b00050472000000100014000b080000000000").unwrap();
            [head, vec![1, 0, top], vec![0x11; 255]].concat()
        };
        for (top, taken) in [(0x7f, false), (0x80, true), (0x81, true), (0xff, true), (0, false)] {
            assert_eq!(Public::parse(&area(top)).is_ok(), taken, "{top:#x}");
        }
    }

    /// Part 2, table 31: the bits are the standard's.
    #[test]
    fn bits_of_the_attributes() {
        use attribute::*;
        let bits = [
            (FIXED_TPM, 0x2),
            (FIXED_PARENT, 0x10),
            (SENSITIVE_DATA_ORIGIN, 0x20),
            (USER_WITH_AUTH, 0x40),
            (ADMIN_WITH_POLICY, 0x80),
            (NO_DA, 0x400),
            (RESTRICTED, 0x1_0000),
            (DECRYPT, 0x2_0000),
            (SIGN, 0x4_0000),
        ];
        for (constant, value) in bits {
            assert_eq!(constant, value);
        }
    }
}
