//! The owner's orders. Invariants, for any bytes:
//! - as a sealed order: refused, never a panic;
//! - sealed to the server but signed by nobody: refused, never a panic;
//! - sealed and signed by the owner: never a panic, and taken only in the one canonical spelling; sealed again from what
//!   was read, it opens to the same order; and never a second time;
//! - as an answer: none, whatever they are; and the server's own answer opens to what it said.
#![no_main]

use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::{Signer as _, SigningKey};
use hpke::{aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::X25519HkdfSha256 as Kem};
use hpke::{Deserializable as _, Kem as _, OpModeS, Serializable as _};
use libfuzzer_sys::fuzz_target;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::digest::Key32;
use vitrine_attest::lengths::prefixed;
use vitrine_attest::order::{open, seal_order, Answer, Order, Refusal, ORDER_LIMIT};

const DOMAIN: &[u8] = b"vitrine order v2";
const SECRET: [u8; 32] = [5; 32];

fuzz_target!(|data: &[u8]| {
    let owner = SigningKey::from_bytes(&[7; 32]);
    let owner_pub = Key32(owner.verifying_key().to_bytes());
    let taken = |sealed: &[u8], seq| -> Result<Order, Refusal> { open(sealed, &SECRET, &owner_pub, seq)?.order };
    assert!(matches!(taken(data, 0), Err(Refusal::Size | Refusal::Unsealed)));
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(&SECRET).expect("32 bytes");
    let channel_pub = Key32(Kem::sk_to_pk(&secret).to_bytes().into());
    assert!(taken(&seal(data, &channel_pub), 0).is_err());

    let signature =
        owner.sign(&prefixed(&[DOMAIN, &channel_pub.0, data.get(..u16::MAX.into()).unwrap_or(data)])).to_bytes();
    let (payload, signature) = (STANDARD.encode(data), STANDARD.encode(signature));
    let signed = format!("{{\"payload\":\"{payload}\",\"signature\":\"{signature}\"}}");
    let sealed = seal(signed.as_bytes(), &channel_pub);
    let Ok(order) = taken(&sealed, 0) else { return };
    assert!(sealed.len() <= ORDER_LIMIT);
    assert_eq!(to_canonical_json(&order).as_deref(), Ok(data));
    let again = seal_order(&order, &owner, &channel_pub).expect("an order that was taken");
    assert_eq!(taken(&again.bytes, 0), Ok(order.clone()));
    assert_eq!(taken(&again.bytes, order.seq), Err(Refusal::Replay));
    assert!(again.reply.open(data).is_err());
    let opened = open(&again.bytes, &SECRET, &owner_pub, 0).ok().expect("it was opened before");
    let answer = opened.responder.seal(&Answer::done()).expect("the system gives random numbers");
    assert_eq!(again.reply.open(&answer), Ok(Answer::done()));
});

fn seal(plain: &[u8], channel_pub: &Key32) -> Vec<u8> {
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&channel_pub.0).expect("a key of our own");
    let (enc, ciphertext) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem, _>(
        &OpModeS::Base,
        &recipient,
        DOMAIN,
        plain,
        &[],
        &mut Fixed,
    )
    .expect("sealing to a good key");
    [enc.to_bytes().as_slice(), &ciphertext].concat()
}

/// No randomness: one input, one run.
struct Fixed;

impl hpke::rand_core::RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        9
    }
    fn next_u64(&mut self) -> u64 {
        9
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(9);
    }
}

impl hpke::rand_core::CryptoRng for Fixed {}
