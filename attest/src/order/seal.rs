//! Sealing on the owner's side, opening on the server's.

use super::{Order, Refusal, Reply, Responder, DOMAIN, ORDER_LIMIT};
use crate::canonical::to_canonical_json;
use crate::digest::{base64_bytes, Key32};
use crate::lengths::prefixed;
use crate::{Error, Result};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Length of an encapsulated X25519 key (RFC 9180 §7.1, Nenc).
const ENC_LENGTH: usize = 32;

pub(super) type Kem = X25519HkdfSha256;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    #[serde(with = "base64_bytes")]
    pub payload: Vec<u8>,
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
}

impl Drop for Signed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.payload);
    }
}

/// A sealed order, and what opens the answer to it.
#[derive(Debug)]
pub struct Sealed {
    pub bytes: Vec<u8>,
    pub reply: Reply,
}

/// Signs and seals an order for the server whose evidence named `channel_pub`.
///
/// # Errors
/// When the order makes no sense or is too long, or the channel key is a low-order point.
pub fn seal_order(order: &Order, owner: &SigningKey, channel_pub: &Key32) -> Result<Sealed> {
    let hint = "see `vitrine-verify peers --help`";
    if let Some(problem) = order.problem() {
        return Err(Error::input(format!("order: {problem}"), hint));
    }
    let payload = to_canonical_json(order)?;
    if payload.len() > ORDER_LIMIT {
        return Err(Error::input("order: too long", hint));
    }
    let signature = owner.sign(&signed_bytes(channel_pub, &payload)).to_bytes().to_vec();
    let sealed = seal(&to_canonical_json(&Signed { payload, signature })?, channel_pub)?;
    if sealed.bytes.len() > ORDER_LIMIT {
        return Err(Error::input("order: too long", hint));
    }
    Ok(sealed)
}

pub(super) fn seal(plain: &[u8], channel_pub: &Key32) -> Result<Sealed> {
    let bad_key = || Error::artefact("the server's channel key cannot be used", "do not trust this server");
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&channel_pub.0).map_err(|_| bad_key())?;
    let (enc, mut context) = hpke::setup_sender::<ChaCha20Poly1305, HkdfSha256, Kem, _>(
        &OpModeS::Base,
        &recipient,
        DOMAIN,
        &mut SystemRandom,
    )
    .map_err(|_| bad_key())?;
    let ciphertext = context.seal(plain, &[]).map_err(|_| bad_key())?;
    let enc: [u8; ENC_LENGTH] = enc.to_bytes().into();
    let reply = Reply::new(enc, |label, secret| context.export(label, secret).map_err(|_| bad_key()))?;
    Ok(Sealed { bytes: [enc.as_slice(), &ciphertext].concat(), reply })
}

/// What was sealed, and whom to answer.
pub struct Opened {
    /// Answers whoever sealed it, owner or not.
    pub responder: Responder,
    /// None but the owner's orders are here.
    pub order: std::result::Result<Order, Refusal>,
}

/// Opens an order on the server. `last_seq` is that of the last order taken in this boot, 0 before the first.
///
/// # Errors
/// [`Refusal::Size`] and [`Refusal::Unsealed`]: nobody can be answered in secret then.
pub fn open(
    sealed: &[u8],
    channel_secret: &[u8; 32],
    owner: &Key32,
    last_seq: u64,
) -> std::result::Result<Opened, Refusal> {
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(channel_secret).map_err(|_| Refusal::Unsealed)?;
    let (plain, responder) = unseal(sealed, &secret)?;
    let channel_pub = Key32(Kem::sk_to_pk(&secret).to_bytes().into());
    Ok(Opened { responder, order: read(&plain, owner, &channel_pub, last_seq) })
}

type Unsealed = (Zeroizing<Vec<u8>>, Responder);

fn unseal(sealed: &[u8], secret: &<Kem as hpke::Kem>::PrivateKey) -> std::result::Result<Unsealed, Refusal> {
    if sealed.len() > ORDER_LIMIT {
        return Err(Refusal::Size);
    }
    let (enc, ciphertext) =
        sealed.split_first_chunk::<ENC_LENGTH>().filter(|(_, rest)| !rest.is_empty()).ok_or(Refusal::Size)?;
    let key = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| Refusal::Unsealed)?;
    let mut context = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, Kem>(&OpModeR::Base, secret, &key, DOMAIN)
        .map_err(|_| Refusal::Unsealed)?;
    let plain = context.open(ciphertext, &[]).map(Zeroizing::new).map_err(|_| Refusal::Unsealed)?;
    let responder = Responder::new(*enc, |label, secret| context.export(label, secret).map_err(|_| Refusal::Unsealed))?;
    Ok((plain, responder))
}

fn read(plain: &[u8], owner: &Key32, channel_pub: &Key32, last_seq: u64) -> std::result::Result<Order, Refusal> {
    let signed: Signed = serde_json::from_slice(plain).map_err(|_| Refusal::Malformed)?;
    check_owner(&signed, owner, channel_pub)?;
    let order: Order = serde_json::from_slice(&signed.payload).map_err(|_| Refusal::Malformed)?;
    let canonical = to_canonical_json(&order).is_ok_and(|bytes| *Zeroizing::new(bytes) == signed.payload);
    if !canonical || order.problem().is_some() {
        return Err(Refusal::Malformed);
    }
    if order.seq <= last_seq {
        return Err(Refusal::Replay);
    }
    Ok(order)
}

fn check_owner(signed: &Signed, owner: &Key32, channel_pub: &Key32) -> std::result::Result<(), Refusal> {
    let owner = VerifyingKey::from_bytes(&owner.0).map_err(|_| Refusal::NotOwner)?;
    let signature = Signature::from_slice(&signed.signature).map_err(|_| Refusal::NotOwner)?;
    let message = Zeroizing::new(signed_bytes(channel_pub, &signed.payload));
    owner.verify_strict(&message, &signature).map_err(|_| Refusal::NotOwner)
}

/// `L(DOMAIN) ‖ L(channel_pub) ‖ L(payload)`; the payload is bounded by [`ORDER_LIMIT`] on both sides.
pub(super) fn signed_bytes(channel_pub: &Key32, payload: &[u8]) -> Vec<u8> {
    prefixed(&[DOMAIN, &channel_pub.0, payload])
}

/// The kernel's generator behind the version of `rand_core` that `hpke` wants.
struct SystemRandom;

impl hpke::rand_core::RngCore for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        rand_core::RngCore::next_u32(&mut rand_core::OsRng)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::RngCore::next_u64(&mut rand_core::OsRng)
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, bytes);
    }
}

impl hpke::rand_core::CryptoRng for SystemRandom {}
