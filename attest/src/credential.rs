//! TPM2_MakeCredential in software: a secret that only the TPM with this EK can open, and only while it holds
//! the key with this name (TPM 2.0 Part 1, "Credential Protection"; annexes B.10.4 for RSA, C.6.3 for ECC).
//!
//! ```text
//! seed     = 32 random bytes, RSA-OAEP-SHA256 with label "IDENTITY\0"          (RSA EK)
//!          = KDFe(Z.x, "IDENTITY", x_ephemeral, x_ek, 256)                     (ECC EK)
//! symKey   = KDFa(seed, "STORAGE", name, "", 128)
//! encId    = AES-128-CFB(symKey, IV 0, TPM2B(secret))
//! hmacKey  = KDFa(seed, "INTEGRITY", "", "", 256)
//! id       = TPM2B( TPM2B(HMAC-SHA256(hmacKey, encId ‖ name)) ‖ encId )
//! ```

use crate::tpm::{alg, KeyKind, Public, Symmetric};
use crate::{Error, Result, Sha256};
use cfb_mode::cipher::{AsyncStreamCipher as _, KeyIvInit as _};
use hmac::{Hmac, Mac as _};
use ring::agreement::{agree_ephemeral, EphemeralPrivateKey, UnparsedPublicKey, ECDH_P256};
use rsa::{BigUint, Oaep, RsaPublicKey};
use zeroize::{Zeroize as _, Zeroizing};

/// What is hashed and encrypted under; its final zero byte is part of it.
const IDENTITY: &str = "IDENTITY\0";
/// Length of a TPM name with SHA-256.
const NAME_LENGTH: usize = 34;

type HmacSha256 = Hmac<sha2::Sha256>;

/// What goes to the server in M3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// TPM2B_ID_OBJECT.
    pub id_object: Vec<u8>,
    /// TPM2B_ENCRYPTED_SECRET.
    pub encrypted_secret: Vec<u8>,
}

/// Makes a credential that carries `secret` for the key named `ak_name`, to be opened by the TPM with `ek`.
///
/// # Errors
/// When the EK is neither RSA-2048 nor P-256 with SHA-256 names and AES-128-CFB, or its point is not on the curve.
pub fn make_credential(ek: &Public, ak_name: &[u8], secret: &[u8; 32]) -> Result<Credential> {
    if ek.name_alg != alg::SHA256 || ek.symmetric != Some(Symmetric { algorithm: alg::AES, bits: 128, mode: alg::CFB })
    {
        return Err(unusable("it is not one with SHA-256 and AES-128-CFB"));
    }
    if ak_name.len() != NAME_LENGTH {
        return Err(Error::artefact("the attestation key's name is not a SHA-256 name", "do not trust this server"));
    }
    let (seed, encrypted_secret) = match &ek.kind {
        KeyKind::Rsa { exponent, modulus, .. } => seed_for_rsa(modulus, *exponent)?,
        KeyKind::Ecc(_) => seed_for_p256(ek)?,
    };
    Ok(Credential { id_object: id_object(&seed, ak_name, secret), encrypted_secret: sized(&encrypted_secret) })
}

/// HMAC-SHA256, the proof of M4: `domain ‖ SHA-256(M3)` under the secret.
pub fn proof(secret: &[u8; 32], m3: &[u8]) -> Sha256 {
    let parts = [crate::evidence::ACTIVATE_DOMAIN, &Sha256::of(m3).0];
    Sha256(hmac(secret, &parts))
}

type Seed = Zeroizing<[u8; 32]>;

fn seed_for_rsa(modulus: &[u8], exponent: u32) -> Result<(Seed, Vec<u8>)> {
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), exponent.into())
        .map_err(|_| unusable("its RSA key is no valid one"))?;
    let mut seed = Seed::default();
    rand_core::RngCore::try_fill_bytes(&mut rand_core::OsRng, seed.as_mut_slice()).map_err(|_| no_randomness())?;
    let encrypted = key
        .encrypt(&mut rand_core::OsRng, Oaep::new_with_label::<sha2::Sha256, _>(IDENTITY), seed.as_slice())
        .map_err(|_| unusable("nothing can be encrypted to its RSA key"))?;
    Ok((seed, encrypted))
}

/// The encrypted secret is the ephemeral point, TPMS_ECC_POINT.
fn seed_for_p256(ek: &Public) -> Result<(Seed, Vec<u8>)> {
    let peer = ek.p256_point().ok_or_else(|| unusable("it is on another curve than P-256"))?;
    let rng = ring::rand::SystemRandom::new();
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &rng).map_err(|_| no_randomness())?;
    let public = private.compute_public_key().map_err(|_| no_randomness())?;
    let (x, y) = public.as_ref()[1..].split_at(32);
    let seed = agree_ephemeral(private, &UnparsedPublicKey::new(&ECDH_P256, peer), |z| kdfe(z, x, &peer[1..33]))
        .map_err(|_| unusable("its point is not on the curve"))?;
    Ok((seed, [sized(x), sized(y)].concat()))
}

fn id_object(seed: &Seed, ak_name: &[u8], secret: &[u8; 32]) -> Vec<u8> {
    let mut sym_key = kdfa(seed, "STORAGE", ak_name);
    let mut enc_identity = sized(secret);
    cfb_mode::Encryptor::<aes::Aes128>::new(sym_key[..16].into(), &[0; 16].into()).encrypt(&mut enc_identity);
    let mut hmac_key = kdfa(seed, "INTEGRITY", &[]);
    let integrity = hmac(&hmac_key, &[&enc_identity, ak_name]);
    sym_key.zeroize();
    hmac_key.zeroize();
    sized(&[sized(&integrity), enc_identity].concat())
}

/// KDFa with HMAC-SHA256 (Part 1, "KDFa()", SP 800-108 counter mode), one block:
/// `HMAC(key, 00000001 ‖ label ‖ 00 ‖ contextU ‖ bits)`. STORAGE asks for 128 bits, INTEGRITY for 256.
fn kdfa(key: &Seed, label: &str, context: &[u8]) -> [u8; 32] {
    let bits: u32 = if label == "STORAGE" { 128 } else { 256 };
    hmac(key.as_slice(), &[&1u32.to_be_bytes(), label.as_bytes(), &[0], context, &bits.to_be_bytes()])
}

/// KDFe with SHA-256 (Part 1, "KDFe for ECDH", SP 800-56A), one block of 256 bits:
/// `SHA-256(00000001 ‖ Z ‖ "IDENTITY\0" ‖ PartyUInfo ‖ PartyVInfo)`.
fn kdfe(z: &[u8], party_u: &[u8], party_v: &[u8]) -> Seed {
    Zeroizing::new(Sha256::of_parts(&[&1u32.to_be_bytes(), z, IDENTITY.as_bytes(), party_u, party_v]).0)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 §3)");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// TPM2B: all callers pass at most an RSA block.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("credentials are far shorter than 64 KiB");
    [&length.to_be_bytes(), bytes].concat()
}

fn unusable(why: &str) -> Error {
    Error::artefact(format!("no credential can be made for this endorsement key: {why}"), "do not trust this server")
}

fn no_randomness() -> Error {
    Error::host("the system gave no random numbers", "try again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;
    use crate::tpm::{EccParameters, CURVE_P256};

    /// tpm2-tools' file: magic, version, then both structures. Its secret has 9 bytes, ours 32.
    #[test]
    fn same_shape_as_tpm2_makecredential() {
        let (Some(ek), Some(name), Some(theirs), Some(secret)) = (
            vector("quote/keylime-ek.pub"),
            vector("quote/keylime-ak.name"),
            vector("quote/keylime-mkcred.out"),
            vector("quote/keylime-actcred.out"),
        ) else {
            return;
        };
        let ours = make_credential(&Public::parse_sized(&ek).unwrap(), &name, &[1; 32]).unwrap();
        let theirs = &theirs[8..];
        let id_length = usize::from(u16::from_be_bytes([theirs[0], theirs[1]]));
        assert_eq!(ours.id_object.len() - 2 - 32, id_length - secret.len());
        assert_eq!(ours.id_object[2..4], theirs[2..4], "length of the HMAC");
        assert_eq!(ours.encrypted_secret.len(), theirs.len() - 2 - id_length);
        assert_eq!(ours.encrypted_secret[..2], theirs[2 + id_length..][..2]);
    }

    /// SP 800-108 style values computed with another program (Python's hmac and hashlib).
    #[test]
    fn key_derivation() {
        let seed = Zeroizing::new([7; 32]);
        assert_eq!(crate::digest::hex(&kdfa(&seed, "INTEGRITY", &[])), KDFA);
        assert_eq!(crate::digest::hex(kdfe(&[1; 32], &[2; 32], &[3; 32]).as_slice()), KDFE);
    }
    const KDFA: &str = "505f15e710b257cf44641025dc9ea21342945c4479ad6d613da257d6a8a67d84";
    const KDFE: &str = "2073a3306eedcfb178183d8a721f949bba9c3d4501b6c2839487bbdd3b973070";

    #[test]
    fn unusable_endorsement_keys() {
        let Some(ek) = vector("quote/keylime-ek.pub") else { return };
        let ek = Public::parse_sized(&ek).unwrap();
        let altered = |alter: fn(&mut Public)| {
            let mut other = ek.clone();
            alter(&mut other);
            make_credential(&other, &[0; 34], &[1; 32])
        };
        assert!(altered(|ek| ek.symmetric = None).is_err());
        assert!(altered(|ek| ek.symmetric.as_mut().unwrap().bits = 256).is_err());
        assert!(altered(|ek| ek.name_alg = alg::SHA384).is_err());
        let off_curve = altered(|ek| {
            ek.kind = KeyKind::Ecc(EccParameters { curve: CURVE_P256, x: vec![1; 32], y: vec![1; 32] });
        });
        assert!(off_curve.unwrap_err().what.contains("not on the curve"));
        assert!(make_credential(&ek, &[0; 50], &[1; 32]).is_err(), "SHA-384 name");
    }

    #[test]
    fn the_proof_depends_on_secret_and_message() {
        assert_ne!(proof(&[1; 32], b"m3"), proof(&[2; 32], b"m3"));
        assert_ne!(proof(&[1; 32], b"m3"), proof(&[1; 32], b"m4"));
    }
}
