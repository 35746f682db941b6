//! TPMT_SIGNATURE (Part 2 §11.3.4), and its verification with ring.

use super::public::pad32;
use super::reader::{Malformed, Reader};
use super::{alg, KeyKind, Public};
use ring::signature::{self as sig, RsaPublicKeyComponents, UnparsedPublicKey};

/// Longest RSA signature that is read: 8192 bits.
const RSA_LIMIT: usize = 1024;
/// Longest r or s: P-521.
const COORDINATE_LIMIT: usize = 66;

/// The signature's own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    Rsa(Vec<u8>),
    /// Numbers of no fixed length: a TPM may drop leading zeros.
    Ecdsa {
        r: Vec<u8>,
        s: Vec<u8>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub algorithm: u16,
    pub hash: u16,
    pub scheme: Scheme,
}

/// Why a signature was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The key, or the signature's algorithm or hash, is none we accept, or they do not belong together.
    Algorithm,
    /// It is not by this key over these bytes.
    Invalid,
}

impl Signature {
    /// Reads a TPMT_SIGNATURE that fills `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("TPMT_SIGNATURE", bytes);
        let algorithm = reader.u16()?;
        let hash = reader.u16()?;
        let scheme = match algorithm {
            alg::RSASSA | alg::RSAPSS => Scheme::Rsa(reader.sized(RSA_LIMIT)?.to_vec()),
            alg::ECDSA => Scheme::Ecdsa {
                r: reader.sized(COORDINATE_LIMIT)?.to_vec(),
                s: reader.sized(COORDINATE_LIMIT)?.to_vec(),
            },
            other => return Err(reader.fail(format!("signature {} is not supported", alg::name(other)))),
        };
        reader.finish()?;
        Ok(Self { algorithm, hash, scheme })
    }

    /// Whether algorithm and hash are those that are accepted for this key: ECDSA on P-256, or RSASSA PKCS#1
    /// with at least 2048 bits, SHA-256 both, and the key's own scheme where it names one.
    pub fn fits(&self, key: &Public) -> bool {
        let kind = match (&key.kind, &self.scheme) {
            (KeyKind::Rsa { bits, .. }, Scheme::Rsa(_)) => *bits >= 2048 && self.algorithm == alg::RSASSA,
            (KeyKind::Ecc(_), Scheme::Ecdsa { .. }) => key.p256_point().is_some(),
            _ => false,
        };
        kind && self.hash == alg::SHA256 && key.scheme.is_none_or(|scheme| scheme == (self.algorithm, self.hash))
    }

    /// Checks the signature over `message`.
    pub fn verify(&self, key: &Public, message: &[u8]) -> Result<(), Refused> {
        if !self.fits(key) {
            return Err(Refused::Algorithm);
        }
        match (&key.kind, &self.scheme) {
            (KeyKind::Rsa { exponent, modulus, .. }, Scheme::Rsa(signature)) => {
                let exponent = exponent.to_be_bytes();
                let leading = exponent.iter().take_while(|&&byte| byte == 0).count();
                RsaPublicKeyComponents { n: modulus.as_slice(), e: &exponent[leading..] }
                    .verify(&sig::RSA_PKCS1_2048_8192_SHA256, message, signature)
                    .map_err(|_| Refused::Invalid)
            }
            (KeyKind::Ecc(_), Scheme::Ecdsa { r, s }) => {
                let point = key.p256_point().ok_or(Refused::Algorithm)?;
                let fixed = fixed_p256(r, s).ok_or(Refused::Invalid)?;
                UnparsedPublicKey::new(&sig::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, &fixed)
                    .map_err(|_| Refused::Invalid)
            }
            _ => Err(Refused::Algorithm),
        }
    }
}

/// `r ‖ s`, 32 bytes each: ring takes no other length.
fn fixed_p256(r: &[u8], s: &[u8]) -> Option<[u8; 64]> {
    let mut fixed = [0; 64];
    fixed[..32].copy_from_slice(&pad32(r)?);
    fixed[32..].copy_from_slice(&pad32(s)?);
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;

    #[test]
    fn real_rsa_quote() {
        let (Some(ak), Some(quote), Some(bytes)) =
            (vector("quote/keylime-ak.pub"), vector("quote/keylime-quote.out"), vector("quote/keylime-quotesig.out"))
        else {
            return;
        };
        let ak = Public::parse_sized(&ak).unwrap();
        let signature = Signature::parse(&bytes).unwrap();
        assert_eq!(signature.verify(&ak, &quote), Ok(()));
        let mut other = quote.clone();
        other[50] ^= 1;
        assert_eq!(signature.verify(&ak, &other), Err(Refused::Invalid));
        let sha1 = Signature { hash: alg::SHA1, ..signature.clone() };
        assert_eq!(sha1.verify(&ak, &quote), Err(Refused::Algorithm));
        let pss = Signature { algorithm: alg::RSAPSS, ..signature };
        assert_eq!(pss.verify(&ak, &quote), Err(Refused::Algorithm));
        for length in 0..bytes.len() {
            assert!(Signature::parse(&bytes[..length]).is_err(), "{length} bytes were taken");
        }
        assert!(Signature::parse(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    /// Signs until r or s begins with a zero byte, drops it as a TPM may do, and expects the signature to hold.
    #[test]
    fn leading_zeros_of_r_and_s() {
        use ring::rand::SystemRandom;
        use ring::signature::{EcdsaKeyPair, KeyPair as _, ECDSA_P256_SHA256_FIXED_SIGNING as P256};
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&P256, &rng).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&P256, key.as_ref(), &rng).unwrap();
        let point = key.public_key().as_ref();
        let mut area = vec![0, 0x23, 0, 0x0b, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10, 0, 32];
        area.extend(&point[1..33]);
        area.extend([0, 32]);
        area.extend(&point[33..]);
        let public = Public::parse(&area).unwrap();
        let (mut short_r, mut short_s) = (false, false);
        for n in 0..20_000u32 {
            let message = n.to_be_bytes();
            let fixed = key.sign(&rng, &message).unwrap();
            let (r, s) = fixed.as_ref().split_at(32);
            if r[0] != 0 && s[0] != 0 {
                continue;
            }
            let strip = |number: &[u8]| number.iter().copied().skip_while(|&b| b == 0).collect::<Vec<_>>();
            (short_r, short_s) = (short_r || r[0] == 0, short_s || s[0] == 0);
            let (r, s) = (strip(r), strip(s));
            let signature = Signature { algorithm: alg::ECDSA, hash: alg::SHA256, scheme: Scheme::Ecdsa { r, s } };
            assert_eq!(signature.verify(&public, &message), Ok(()));
            assert_eq!(signature.verify(&public, b"other"), Err(Refused::Invalid));
            if short_r && short_s {
                return;
            }
        }
        panic!("no signature with a leading zero in 20,000");
    }

    /// Where the key names no scheme, the rules are all that there is.
    #[test]
    fn a_key_without_a_scheme_of_its_own() {
        let (Some(ak), Some(bytes)) = (vector("quote/keylime-ak.pub"), vector("quote/keylime-quotesig.out")) else {
            return;
        };
        let named = Public::parse_sized(&ak).unwrap();
        let mut any = named.clone();
        any.scheme = None;
        let good = Signature::parse(&bytes).unwrap();
        assert!(good.fits(&named) && good.fits(&any));
        assert!(!Signature { hash: alg::SHA1, ..good.clone() }.fits(&any));
        assert!(!Signature { algorithm: alg::RSAPSS, ..good.clone() }.fits(&any));
        let (r, s) = (vec![1], vec![1]);
        let ecdsa = Signature { algorithm: alg::ECDSA, hash: alg::SHA256, scheme: Scheme::Ecdsa { r, s } };
        assert!(!ecdsa.fits(&any), "an RSA key signs no ECDSA");
        let short = |bits: u16| {
            let mut other = any.clone();
            let KeyKind::Rsa { bits: announced, .. } = &mut other.kind else { panic!("it is RSA") };
            *announced = bits;
            other
        };
        assert!(good.fits(&short(2048)) && !good.fits(&short(2047)) && !good.fits(&short(1024)));
    }
}
