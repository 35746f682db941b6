//! Orders of the owner to a running server: add a peer, remove a peer.
//!
//! An order is sealed to the server's attested channel key, so nobody between owner and server sees which peers
//! there are, and signed by the owner's key, which is part of the measured configuration. Wire form:
//! ```text
//! sealed  = enc[32] ‖ ciphertext ‖ tag[16]      HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256),
//!                                               HKDF-SHA256, ChaCha20Poly1305, info = DOMAIN, no aad
//! plain   = {"payload":base64,"signature":base64}
//! payload = {"allowed_ips":["10.66.0.7/32"],"op":"add","peer":"…=","seq":1763679600000000000,"v":1}
//! ```
//! The signature is Ed25519 over `L(DOMAIN) ‖ L(channel_pub) ‖ L(payload)`: an order for one boot of one server
//! is worth nothing on another one, whose channel key differs. Within one boot `seq` has to rise.

use crate::canonical::to_canonical_json;
use crate::config::Cidr;
use crate::digest::{base64_bytes, Key32};
use crate::lengths::prefixed;
use crate::{Error, Result};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// Separates this use of HPKE and of the owner's key from every other one.
const DOMAIN: &[u8] = b"vitrine order v1";
/// Version of the payload.
pub const VERSION: u32 = 1;
/// Largest sealed order in bytes; what an agent reads from `POST /v1/order`.
pub const ORDER_LIMIT: usize = 32 << 10;
/// Most networks of one peer: they and everything else fit into [`ORDER_LIMIT`].
pub const ALLOWED_IPS_LIMIT: usize = 32;
/// Length of an encapsulated X25519 key (RFC 9180 §7.1, Nenc).
const ENC_LENGTH: usize = 32;

type Kem = X25519HkdfSha256;

/// What shall be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Adds the peer, or gives a known peer these networks instead of its former ones.
    Add,
    /// Removes the peer; an unknown one is no error.
    Remove,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub v: u32,
    /// Greater than that of every order before it in this boot. `vitrine-verify peers` takes the time in nanoseconds.
    pub seq: u64,
    pub op: Operation,
    /// WireGuard public key of the peer.
    pub peer: Key32,
    /// Networks the peer may use as source; at least one to add, none to remove.
    pub allowed_ips: Vec<Cidr>,
}

impl Order {
    /// Why this order cannot be carried out, if so.
    fn problem(&self) -> Option<&'static str> {
        match self.op {
            _ if self.v != VERSION => Some("unknown version"),
            _ if self.peer == Key32([0; 32]) => Some("the peer's key is all zero"),
            _ if self.allowed_ips.len() > ALLOWED_IPS_LIMIT => Some("too many networks"),
            Operation::Add if self.allowed_ips.is_empty() => Some("no network to allow"),
            Operation::Remove if !self.allowed_ips.is_empty() => Some("networks given for a peer to remove"),
            _ => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    #[serde(with = "base64_bytes")]
    payload: Vec<u8>,
    #[serde(with = "base64_bytes")]
    signature: Vec<u8>,
}

/// Why a server did not take an order. The code is all that leaves the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too short or too long.
    Size,
    /// Not sealed to this server's channel key of this boot, or altered.
    Unsealed,
    /// What was sealed is not a well-formed order.
    Malformed,
    /// Not signed by the owner, or signed for another channel key.
    NotOwner,
    /// `seq` did not rise.
    Replay,
}

impl Refusal {
    /// Fixed code for `{"accepted":false,"code":…}`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Size => "order-size",
            Self::Unsealed => "order-unsealed",
            Self::Malformed => "order-malformed",
            Self::NotOwner => "order-not-owner",
            Self::Replay => "order-replay",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Size => "order is too short or too long",
            Self::Unsealed => "order was not sealed to this server's channel key",
            Self::Malformed => "order is malformed",
            Self::NotOwner => "order is not signed by the owner for this server",
            Self::Replay => "order is not newer than the last one",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let hint = format!("{refusal}: send it again with `vitrine-verify peers` and the owner's key");
        Error::artefact(refusal.what(), hint)
    }
}

/// Signs and seals an order for the server whose evidence named `channel_pub`.
///
/// # Errors
/// When the order makes no sense, or the channel key is a low-order point.
pub fn seal_order(order: &Order, owner: &SigningKey, channel_pub: &Key32) -> Result<Vec<u8>> {
    if let Some(problem) = order.problem() {
        return Err(Error::input(format!("order: {problem}"), "see `vitrine-verify peers --help`"));
    }
    let payload = to_canonical_json(order)?;
    let signature = owner.sign(&signed_bytes(channel_pub, &payload)).to_bytes().to_vec();
    seal(&to_canonical_json(&Signed { payload, signature })?, channel_pub)
}

fn seal(plain: &[u8], channel_pub: &Key32) -> Result<Vec<u8>> {
    let bad_key = || Error::artefact("the server's channel key cannot be used", "do not trust this server");
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&channel_pub.0).map_err(|_| bad_key())?;
    let (enc, ciphertext) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem, _>(
        &OpModeS::Base,
        &recipient,
        DOMAIN,
        plain,
        &[],
        &mut SystemRandom,
    )
    .map_err(|_| bad_key())?;
    Ok([enc.to_bytes().as_slice(), &ciphertext].concat())
}

/// [`open`] with an error for people.
pub fn open_order(sealed: &[u8], channel_secret: &[u8; 32], owner: &Key32, last_seq: u64) -> Result<Order> {
    Ok(open(sealed, channel_secret, owner, last_seq)?)
}

/// Opens an order on the server. `last_seq` is that of the last order taken in this boot, 0 before the first.
pub fn open(
    sealed: &[u8],
    channel_secret: &[u8; 32],
    owner: &Key32,
    last_seq: u64,
) -> std::result::Result<Order, Refusal> {
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(channel_secret).map_err(|_| Refusal::Unsealed)?;
    let plain = unseal(sealed, &secret)?;
    let channel_pub = Key32(Kem::sk_to_pk(&secret).to_bytes().into());
    let signed: Signed = serde_json::from_slice(&plain).map_err(|_| Refusal::Malformed)?;
    check_owner(&signed, owner, &channel_pub)?;
    let order: Order = serde_json::from_slice(&signed.payload).map_err(|_| Refusal::Malformed)?;
    let canonical = to_canonical_json(&order).is_ok_and(|bytes| bytes == signed.payload);
    if !canonical || order.problem().is_some() {
        return Err(Refusal::Malformed);
    }
    if order.seq <= last_seq {
        return Err(Refusal::Replay);
    }
    Ok(order)
}

fn unseal(sealed: &[u8], secret: &<Kem as hpke::Kem>::PrivateKey) -> std::result::Result<Zeroizing<Vec<u8>>, Refusal> {
    if sealed.len() <= ENC_LENGTH || sealed.len() > ORDER_LIMIT {
        return Err(Refusal::Size);
    }
    let (enc, ciphertext) = sealed.split_at(ENC_LENGTH);
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| Refusal::Unsealed)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(&OpModeR::Base, secret, &enc, DOMAIN, ciphertext, &[])
        .map(Zeroizing::new)
        .map_err(|_| Refusal::Unsealed)
}

fn check_owner(signed: &Signed, owner: &Key32, channel_pub: &Key32) -> std::result::Result<(), Refusal> {
    let owner = VerifyingKey::from_bytes(&owner.0).map_err(|_| Refusal::NotOwner)?;
    let signature = Signature::from_slice(&signed.signature).map_err(|_| Refusal::NotOwner)?;
    owner.verify_strict(&signed_bytes(channel_pub, &signed.payload), &signature).map_err(|_| Refusal::NotOwner)
}

/// `L(DOMAIN) ‖ L(channel_pub) ‖ L(payload)`; the payload is bounded by [`ORDER_LIMIT`] on both sides.
fn signed_bytes(channel_pub: &Key32, payload: &[u8]) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [5; 32];

    fn channel_pub(secret: &[u8; 32]) -> Key32 {
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).unwrap();
        Key32(Kem::sk_to_pk(&secret).to_bytes().into())
    }

    fn owner(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    fn owner_pub() -> Key32 {
        Key32(owner(1).verifying_key().to_bytes())
    }

    fn add() -> Order {
        Order {
            v: VERSION,
            seq: 10,
            op: Operation::Add,
            peer: Key32([9; 32]),
            allowed_ips: vec!["10.66.0.7/32".parse().unwrap(), "fd66::7/128".parse().unwrap()],
        }
    }

    fn sealed(order: &Order) -> Vec<u8> {
        seal_order(order, &owner(1), &channel_pub(&SECRET)).unwrap()
    }

    fn sealed_raw(payload: &[u8]) -> Vec<u8> {
        let signature = owner(1).sign(&signed_bytes(&channel_pub(&SECRET), payload)).to_bytes().to_vec();
        let signed = to_canonical_json(&Signed { payload: payload.into(), signature }).unwrap();
        seal(&signed, &channel_pub(&SECRET)).unwrap()
    }

    fn opened(bytes: &[u8]) -> std::result::Result<Order, Refusal> {
        open(bytes, &SECRET, &owner_pub(), 9)
    }

    #[test]
    fn seal_and_open() {
        assert_eq!(opened(&sealed(&add())), Ok(add()));
        let remove = Order { op: Operation::Remove, allowed_ips: vec![], ..add() };
        assert_eq!(open_order(&sealed(&remove), &SECRET, &owner_pub(), 0).unwrap(), remove);
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        assert_ne!(sealed(&add()), sealed(&add()));
    }

    #[test]
    fn replay() {
        let bytes = sealed(&add());
        assert_eq!(open(&bytes, &SECRET, &owner_pub(), 10), Err(Refusal::Replay));
        assert_eq!(open(&bytes, &SECRET, &owner_pub(), 11), Err(Refusal::Replay));
    }

    #[test]
    fn wrong_owner() {
        let bytes = seal_order(&add(), &owner(2), &channel_pub(&SECRET)).unwrap();
        assert_eq!(opened(&bytes), Err(Refusal::NotOwner));
    }

    #[test]
    fn other_channel_key() {
        let bytes = seal_order(&add(), &owner(1), &channel_pub(&[6; 32])).unwrap();
        assert_eq!(opened(&bytes), Err(Refusal::Unsealed));
    }

    /// Server A opens an order and seals it again to server B: B sees that it was signed for A.
    #[test]
    fn an_order_passed_on_to_another_server() {
        let payload = to_canonical_json(&add()).unwrap();
        let signature = owner(1).sign(&signed_bytes(&channel_pub(&[6; 32]), &payload)).to_bytes().to_vec();
        let passed_on = to_canonical_json(&Signed { payload, signature }).unwrap();
        assert_eq!(opened(&seal(&passed_on, &channel_pub(&SECRET)).unwrap()), Err(Refusal::NotOwner));
    }

    #[test]
    fn every_truncation_and_every_flipped_byte() {
        let bytes = sealed(&add());
        for length in 0..bytes.len() {
            assert!(matches!(opened(&bytes[..length]), Err(Refusal::Size | Refusal::Unsealed)), "{length} bytes");
        }
        for i in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[i] ^= 0x10;
            assert_eq!(opened(&altered), Err(Refusal::Unsealed), "byte {i}");
        }
        assert_eq!(opened(&vec![0; ORDER_LIMIT + 1]), Err(Refusal::Size));
    }

    #[test]
    fn malformed_payloads() {
        let good = String::from_utf8(to_canonical_json(&add()).unwrap()).unwrap();
        for bad in [
            good.replace("\"v\":1", "\"v\":2"),
            good.replace("\"v\":1", "\"v\":1,\"w\":1"),
            good.replace("\"op\"", " \"op\""),
            good.replace("add", "remove"),
            "{}".into(),
        ] {
            assert_eq!(opened(&sealed_raw(bad.as_bytes())), Err(Refusal::Malformed), "{bad}");
        }
        assert_eq!(opened(&sealed_raw(good.as_bytes())), Ok(add()));
    }

    #[test]
    fn senseless_orders_are_not_sealed() {
        let many = vec!["10.0.0.0/8".parse().unwrap(); ALLOWED_IPS_LIMIT + 1];
        for order in [
            Order { allowed_ips: vec![], ..add() },
            Order { allowed_ips: many, ..add() },
            Order { op: Operation::Remove, ..add() },
            Order { peer: Key32([0; 32]), ..add() },
        ] {
            assert!(seal_order(&order, &owner(1), &channel_pub(&SECRET)).is_err());
        }
        assert!(seal_order(&add(), &owner(1), &Key32([0; 32])).is_err(), "sealed to a low-order point");
    }

    #[test]
    fn the_largest_order_fits() {
        let longest: Cidr = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128".parse().unwrap();
        let order = Order { seq: u64::MAX, allowed_ips: vec![longest; ALLOWED_IPS_LIMIT], ..add() };
        assert_eq!(opened(&sealed(&order)), Ok(order));
    }
}
