//! The keys of this boot. They are made in RAM, leave PID 1 only towards the kernel (WireGuard) and the resolver
//! (TLS), and are wiped.

use crate::stop::{OrStop, Step};
use ed25519_dalek::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, KeyPair as _, ECDSA_P256_SHA256_ASN1_SIGNING};
use rustix::rand::{getrandom, GetRandomFlags};
use vitrine_attest::boot::BootKeys;
use vitrine_attest::digest::Key32;
use vitrine_attest::inside::TlsKey;
use vitrine_attest::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// An X25519 key pair (RFC 7748). The secret half is wiped when it is dropped.
pub struct KeyPair {
    secret: StaticSecret,
    pub public: Key32,
}

impl KeyPair {
    /// From the kernel's generator; waits until it is seeded, so the first boot of a machine cannot get a weak key.
    pub fn generate() -> Step<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill(&mut *bytes)?;
        let secret = StaticSecret::from(*bytes);
        let public = Key32(PublicKey::from(&secret).to_bytes());
        Ok(Self { secret, public })
    }

    /// The secret as bytes, in a buffer that wipes itself.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes())
    }
}

/// All secrets of one boot; every one of them is wiped when it is dropped.
pub struct BootSecrets {
    /// Generation 0; see `rotation.rs` for the later ones.
    pub wireguard: KeyPair,
    /// Opens the owner's orders.
    pub channel: KeyPair,
    /// Signs the WireGuard keys of later generations.
    pub signing: SigningKey,
    /// For the resolver's DoT and DoH.
    pub tls: TlsKey,
}

impl BootSecrets {
    /// New keys, and their public halves for PCR 15.
    pub fn generate() -> Step<(Self, BootKeys)> {
        let (wireguard, channel) = (KeyPair::generate()?, KeyPair::generate()?);
        let mut seed = Zeroizing::new([0; 32]);
        fill(&mut *seed)?;
        let signing = SigningKey::from_bytes(&seed);
        let (tls, tls_spki) = tls_key()?;
        let public = BootKeys {
            wg_pub: wireguard.public,
            channel_pub: channel.public,
            sign_pub: Key32(signing.verifying_key().to_bytes()),
            tls_spki,
        };
        Ok((Self { wireguard, channel, signing, tls }, public))
    }
}

/// SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 §2): SEQUENCE { SEQUENCE { id-ecPublicKey,
/// secp256r1 }, BIT STRING of 66 bytes without unused bits }. The 65 bytes of the uncompressed point follow.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A new ECDSA P-256 key in PKCS#8, and the digest of its SubjectPublicKeyInfo.
fn tls_key() -> Step<(TlsKey, Sha256)> {
    // ring asks the same getrandom(2); PID 1 has made other keys before, so the generator is seeded
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).or_stop("tls-key")?;
    let key = TlsKey(document.as_ref().to_vec());
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.0, &random).or_stop("tls-key")?;
    Ok((key, Sha256::of(&spki(pair.public_key().as_ref()))))
}

fn spki(point: &[u8]) -> Vec<u8> {
    [&P256_SPKI, point].concat()
}

/// Fills a buffer with random bytes.
pub fn fill(buffer: &mut [u8]) -> Step {
    let mut filled = 0;
    while filled < buffer.len() {
        match getrandom(&mut buffer[filled..], GetRandomFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            other => filled += other.or_stop("random")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::elliptic_curve::sec1::ToEncodedPoint as _;
    use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};

    #[test]
    fn pairs_differ_and_fit() {
        let (a, b) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        assert_ne!(a.public, b.public);
        assert_eq!(PublicKey::from(&StaticSecret::from(*a.secret())).to_bytes(), a.public.0);
    }

    #[test]
    fn public_halves_belong_to_the_secrets() {
        let (secrets, public) = BootSecrets::generate().unwrap();
        assert_eq!((secrets.wireguard.public, secrets.channel.public), (public.wg_pub, public.channel_pub));
        assert_ne!(public.wg_pub, public.channel_pub);
        assert_eq!(secrets.signing.verifying_key().to_bytes(), public.sign_pub.0);
    }

    /// Another implementation reads the key, and the SubjectPublicKeyInfo that is hashed.
    #[test]
    fn tls_digest_is_that_of_the_public_key() {
        let (key, digest) = tls_key().unwrap();
        let public = p256::SecretKey::from_pkcs8_der(&key.0).unwrap().public_key();
        let spki = spki(public.to_encoded_point(false).as_bytes());
        assert_eq!(p256::PublicKey::from_public_key_der(&spki).unwrap(), public);
        assert_eq!(digest, Sha256::of(&spki));
        assert_ne!(digest, tls_key().unwrap().1, "a new key each time");
    }
}
