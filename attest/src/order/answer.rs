//! The server's answer to an order it could open.
//!
//! As Oblivious HTTP encrypts responses (RFC 9458 §4.4), with other labels and one fixed length:
//! ```text
//! secret = HPKE context's Export("vitrine answer v2", 32)            (RFC 9180 §5.3)
//! prk    = HKDF-Extract(salt = enc ‖ nonce[32], secret)              nonce: random, new for each answer
//! key    = HKDF-Expand(prk, "key", 32)      iv = HKDF-Expand(prk, "nonce", 12)
//! answer = nonce[32] ‖ ChaCha20Poly1305(key, iv, aad = "", plain) ‖ tag[16]
//! plain  = L(json) ‖ zeros                                           256 bytes, whatever it says
//! json   = {"commitment":"<64 hex>","v":2}                           canonical
//! ```
//! Proves that it comes from the PID 1 whose channel key the quote named, and answers this very order: another order
//! has another secret. It does not prove that it arrived the first time it was sent.

use super::VERSION;
use crate::canonical::to_canonical_json;
use crate::lengths::prefixed;
use crate::{Error, Result, Sha256};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, CHACHA20_POLY1305, NONCE_LEN};
use ring::hkdf::{KeyType, Salt, HKDF_SHA256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Separates these secrets from every other use of the HPKE context.
const LABEL: &[u8] = b"vitrine answer v2";
/// Bytes of every answer before it is sealed: its size tells nothing.
const PLAIN_LENGTH: usize = 256;
/// Bytes of the random part; at least the key's length (RFC 9458 §4.4).
const RANDOM_LENGTH: usize = 32;
/// Bytes of every sealed answer.
pub const SEALED_ANSWER_LENGTH: usize = RANDOM_LENGTH + PLAIN_LENGTH + 16;

/// What the server says to an order. The order decides which fields are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub v: u32,
    /// Fixed code: why nothing was done. None: it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// To `has`: the peer is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has: Option<bool>,
    /// To `has`: it has a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<bool>,
    /// To `commit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Sha256>,
    /// To the last part of `sync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// What a synchronisation has done. A peer with other networks than before counts as removed and added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    pub added: u32,
    pub removed: u32,
    pub unchanged: u32,
}

impl Answer {
    /// It was done, and there is no more to say.
    pub fn done() -> Self {
        Self { v: VERSION, ..Self::default() }
    }

    /// It was not done.
    pub fn refused(code: &'static str) -> Self {
        Self { code: Some(code.into()), ..Self::done() }
    }

    fn plain(&self) -> Option<Vec<u8>> {
        let mut plain = prefixed(&[&to_canonical_json(self).ok()?]);
        if plain.len() > PLAIN_LENGTH {
            return None;
        }
        plain.resize(PLAIN_LENGTH, 0);
        Some(plain)
    }

    /// Only the one spelling that [`Self::plain`] gives.
    fn from_plain(plain: &[u8]) -> Option<Self> {
        let (length, rest) = plain.split_first_chunk::<2>()?;
        let json = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        let answer: Self = serde_json::from_slice(json).ok()?;
        (answer.v == VERSION && answer.plain()? == plain).then_some(answer)
    }
}

/// What both sides know of one sealed order.
struct Shared {
    enc: [u8; 32],
    secret: Zeroizing<[u8; 32]>,
}

impl Shared {
    fn new<E>(
        enc: [u8; 32],
        export: impl FnOnce(&[u8], &mut [u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        let mut secret = Zeroizing::new([0; 32]);
        export(LABEL, secret.as_mut_slice())?;
        Ok(Self { enc, secret })
    }

    /// None never happens: all lengths are fixed and in HKDF's range.
    fn key(&self, random: &[u8; RANDOM_LENGTH]) -> Option<(LessSafeKey, Nonce)> {
        let salt = [self.enc.as_slice(), random].concat();
        let prk = Salt::new(HKDF_SHA256, &salt).extract(self.secret.as_slice());
        let key = UnboundKey::from(prk.expand(&[b"key"], &CHACHA20_POLY1305).ok()?);
        let mut iv = [0; NONCE_LEN];
        prk.expand(&[b"nonce"], NonceLength).ok()?.fill(&mut iv).ok()?;
        Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(iv)))
    }
}

struct NonceLength;

impl KeyType for NonceLength {
    fn len(&self) -> usize {
        NONCE_LEN
    }
}

/// Answers one order, in PID 1.
pub struct Responder(Shared);

impl Responder {
    pub(super) fn new<E>(
        enc: [u8; 32],
        export: impl FnOnce(&[u8], &mut [u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        Shared::new(enc, export).map(Self)
    }

    /// [`SEALED_ANSWER_LENGTH`] bytes. None when the system gives no random numbers.
    pub fn seal(&self, answer: &Answer) -> Option<Vec<u8>> {
        let mut random = [0; RANDOM_LENGTH];
        rand_core::RngCore::try_fill_bytes(&mut rand_core::OsRng, &mut random).ok()?;
        let mut bytes = answer.plain()?;
        let (key, nonce) = self.0.key(&random)?;
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes).ok()?;
        Some([random.as_slice(), &bytes].concat())
    }
}

/// Opens the answer to one order, at its owner.
pub struct Reply(Shared);

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply(…)")
    }
}

impl Reply {
    pub(super) fn new<E>(
        enc: [u8; 32],
        export: impl FnOnce(&[u8], &mut [u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        Shared::new(enc, export).map(Self)
    }

    /// # Errors
    /// When the bytes are no answer of the attested server to this order.
    pub fn open(&self, sealed: &[u8]) -> Result<Answer> {
        self.unseal(sealed).ok_or_else(|| {
            Error::artefact(
                "the answer to the order is not by the server that was attested",
                "somebody between you and its PID 1 made it up, such as its agent: do not count on the order",
            )
        })
    }

    fn unseal(&self, sealed: &[u8]) -> Option<Answer> {
        if sealed.len() != SEALED_ANSWER_LENGTH {
            return None;
        }
        let (random, ciphertext) = sealed.split_first_chunk::<RANDOM_LENGTH>()?;
        let (key, nonce) = self.0.key(random)?;
        let mut bytes = ciphertext.to_vec();
        Answer::from_plain(key.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, Mac as _};

    fn shared(byte: u8) -> Shared {
        Shared { enc: [1; 32], secret: Zeroizing::new([byte; 32]) }
    }

    fn answers() -> Vec<Answer> {
        vec![
            Answer::done(),
            Answer::refused("a-code-as-long-as-any-code-can-be"),
            Answer { has: Some(true), online: Some(false), ..Answer::done() },
            Answer { commitment: Some(Sha256::ZERO), ..Answer::done() },
            Answer {
                code: Some("x".repeat(32)),
                has: Some(false),
                online: Some(false),
                commitment: Some(Sha256::ZERO),
                changes: Some(Changes { added: 10_000, removed: 10_000, unchanged: 10_000 }),
                v: VERSION,
            },
        ]
    }

    #[test]
    fn every_answer_has_one_length_and_comes_back() {
        for answer in answers() {
            let sealed = Responder(shared(2)).seal(&answer).unwrap();
            assert_eq!(sealed.len(), SEALED_ANSWER_LENGTH);
            assert_eq!(Reply(shared(2)).open(&sealed).unwrap(), answer);
        }
    }

    #[test]
    fn answers_to_other_orders_and_altered_ones() {
        let sealed = Responder(shared(2)).seal(&Answer::done()).unwrap();
        assert!(Reply(shared(3)).open(&sealed).is_err());
        assert!(Reply(Shared { enc: [2; 32], ..shared(2) }).open(&sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(Reply(shared(2)).open(&altered).is_err(), "byte {at}");
            assert!(Reply(shared(2)).open(&sealed[..at]).is_err());
        }
        assert!(Reply(shared(2)).open(&[sealed, vec![0]].concat()).is_err());
    }

    #[test]
    fn one_spelling() {
        let plain = Answer::done().plain().unwrap();
        assert_eq!(Answer::from_plain(&plain), Some(Answer::done()));
        let with = |at: usize, byte: u8| {
            let mut other = plain.clone();
            other[at] = byte;
            Answer::from_plain(&other)
        };
        assert_eq!((with(255, 1), with(1, 255), with(6, b'3')), (None, None, None));
        for json in [&br#"{ "v":2}"#[..], br#"{"v":2,"x":1}"#, br#"{"code":null,"v":2}"#, br#"{"v":1}"#] {
            let mut other = prefixed(&[json]);
            other.resize(PLAIN_LENGTH, 0);
            assert_eq!(Answer::from_plain(&other), None);
        }
    }

    /// HKDF by hand (RFC 5869 §2), so that the documented derivation is checked by something else than ring.
    #[test]
    fn key_derivation_is_the_documented_one() {
        let mac = |key: &[u8], parts: &[&[u8]]| {
            let mut mac = <Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(key).unwrap();
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        };
        let sealed = Responder(shared(2)).seal(&Answer::done()).unwrap();
        let prk = mac(&[&[1; 32], &sealed[..32]].concat(), &[&[2; 32]]);
        let key = mac(&prk, &[b"key", &[1]]);
        let nonce: [u8; 12] = mac(&prk, &[b"nonce", &[1]])[..12].try_into().unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).unwrap());
        let mut bytes = sealed[32..].to_vec();
        let plain = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes).unwrap();
        assert!(plain.starts_with(b"\0\x07{\"v\":2}\0"));
        assert_eq!(plain.len(), 256);
    }
}
