//! Who may sign a release file: the archive's keyring (RFC 9580), and when a signature counts.
//!
//! Policy:
//! - one good signature by one key of the keyring is enough, like in apt; subkeys count when their binding to the
//!   primary key, and their own back signature, check out and allow signing;
//! - keys that are expired **now** or revoked do not count, even for signatures made before: whoever found an old key
//!   could date a signature back;
//! - SHA-256 or stronger (also where the primary key binds its subkeys), RSA from 2048 bits, no DSA;
//! - a signature must not be expired or made in the future.

use pgp::composed::{CleartextSignedMessage, Deserializable as _, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails as _, PublicParams, Tag};
use rsa::traits::PublicKeyParts as _;
use std::path::Path;
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result};

/// Bytes of a keyring; Debian's has 56 KiB.
const KEYRING_LIMIT: u64 = 16 << 20;
/// Certificates in a keyring.
const KEY_LIMIT: usize = 1000;
/// How far a signer's clock may be ahead of ours, in seconds.
pub const CLOCK_SKEW: u64 = 24 * 3600;
/// Bytes of an RSA modulus.
const RSA_LEAST: usize = 2048 / 8;

/// The signing keys of one keyring file.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<Trusted>,
}

#[derive(Debug)]
enum Key {
    Primary(PublicKey),
    Sub(PublicSubkey),
}

/// One key that may sign.
#[derive(Debug)]
struct Trusted {
    key: Key,
    /// Lower-case hex.
    fingerprint: String,
    created: u64,
    /// The earlier of its own and its primary key's end, seconds since 1970.
    expires: Option<u64>,
}

impl Keyring {
    /// Reads a keyring file, binary or armored.
    pub fn load(path: &Path) -> Result<Self> {
        let hint = "install the package debian-archive-keyring, or name another file with --keyring";
        let unreadable = |why: String| Error::host(format!("keyring {}: {why}", path.display()), hint);
        let bytes = crate::bounded::read(path, KEYRING_LIMIT).map_err(|e| unreadable(e.to_string()))?;
        let keyring = Self::parse(&bytes);
        if keyring.keys.is_empty() {
            return Err(unreadable("holds no key that may sign".into()));
        }
        Ok(keyring)
    }

    /// All keys that may sign; what cannot be read or is not allowed is left out.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut keys = Vec::new();
        if let Ok((certificates, _)) = SignedPublicKey::from_reader_many(bytes) {
            // a parser that stops at an error ends the list; one broken certificate does not hide the others
            for certificate in certificates.take(KEY_LIMIT).flatten() {
                keys.extend(signing_keys(&certificate));
            }
        }
        Self { keys }
    }

    /// Checks a clear-signed message. Gives the fingerprint of the key.
    ///
    /// # Errors
    /// In words: why each signature does not count.
    pub fn verify(&self, message: &CleartextSignedMessage, now: u64) -> std::result::Result<String, String> {
        let text = message.signed_text();
        let mut reasons = Vec::new();
        for signature in message.signatures() {
            match self.verify_one(signature, text.as_bytes(), now) {
                Ok(fingerprint) => return Ok(fingerprint),
                Err(reason) => reasons.push(reason),
            }
        }
        reasons.dedup();
        Err(if reasons.is_empty() { "it carries no signature".into() } else { reasons.join("; ") })
    }

    fn verify_one(&self, signature: &Signature, text: &[u8], now: u64) -> std::result::Result<String, String> {
        let issuer = issuer(signature);
        check_form(signature, now).map_err(|why| format!("signature by {issuer} {why}"))?;
        let made = created(signature).unwrap_or(u64::MAX);
        let mut reason = format!("key {issuer} is not in the keyring");
        for trusted in &self.keys {
            let good = match &trusted.key {
                Key::Primary(key) if names(signature, key) => signature.verify(key, text).is_ok(),
                Key::Sub(key) if names(signature, key) => signature.verify(key, text).is_ok(),
                _ => continue,
            };
            reason = match trusted.expires {
                _ if !good => format!("signature by {issuer} does not fit the text"),
                Some(end) if end <= now => format!("key {issuer} is expired"),
                _ if made < trusted.created => format!("signature by {issuer} is older than its key"),
                _ => return Ok(trusted.fingerprint.clone()),
            };
        }
        Err(reason)
    }
}

/// What can be said of a signature without its key.
fn check_form(signature: &Signature, now: u64) -> std::result::Result<(), String> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("is not a signature over a text".into());
    }
    if !is_strong(signature) {
        return Err("uses a weak hash".into());
    }
    let config = signature.config().ok_or("has an unknown version")?;
    let unknown = |data: &SubpacketData| matches!(data, SubpacketData::Other(..) | SubpacketData::Experimental(..));
    if config.hashed_subpackets().any(|p| p.is_critical && unknown(&p.data)) {
        return Err("makes a condition we do not know".into());
    }
    let made = created(signature).ok_or("says no time")?;
    if made > now + CLOCK_SKEW {
        return Err("lies in the future: check this machine's clock".into());
    }
    match seconds(signature.signature_expiration_time()) {
        Some(life) if made + life <= now => Err("is expired".into()),
        _ => Ok(()),
    }
}

/// The primary key and the subkeys of a certificate that may sign.
fn signing_keys(certificate: &SignedPublicKey) -> Vec<Trusted> {
    let primary = &certificate.primary_key;
    let Some(own) = newest(self_signatures(certificate)) else { return vec![] };
    let revoked = certificate.details.revocation_signatures.iter().any(|s| s.verify_key(primary).is_ok());
    if revoked || !is_allowed(primary.public_params()) {
        return vec![];
    }
    let created = u64::from(primary.created_at().as_secs());
    let expires = seconds(own.key_expiration_time()).map(|life| created + life);
    let mut keys = Vec::new();
    if own.key_flags().sign() {
        let fingerprint = hex(primary.fingerprint().as_bytes());
        keys.push(Trusted { key: Key::Primary(primary.clone()), fingerprint, created, expires });
    }
    keys.extend(certificate.public_subkeys.iter().filter_map(|sub| signing_subkey(primary, sub, expires)));
    keys
}

/// What the primary key says about itself: on its user ids, and directly.
fn self_signatures(certificate: &SignedPublicKey) -> Vec<&Signature> {
    let primary = &certificate.primary_key;
    let direct = certificate.details.direct_signatures.iter().filter(|s| s.verify_key(primary).is_ok());
    let on_users = certificate.details.users.iter().flat_map(|user| {
        let own = |s: &&Signature| s.verify_certification(primary, Tag::UserId, &user.id).is_ok();
        user.signatures.iter().filter(|s| is_statement(s)).filter(own)
    });
    direct.chain(on_users).filter(|s| is_strong(s)).collect()
}

fn signing_subkey(primary: &PublicKey, sub: &SignedPublicSubKey, end: Option<u64>) -> Option<Trusted> {
    let good = |s: &&Signature| s.verify_subkey_binding(primary, &sub.key).is_ok();
    let of_kind = |kind| sub.signatures.iter().filter(move |s| s.typ() == Some(kind)).filter(good);
    if of_kind(SignatureType::SubkeyRevocation).next().is_some() || !is_allowed(sub.key.public_params()) {
        return None;
    }
    let binding = newest(of_kind(SignatureType::SubkeyBinding).filter(|s| is_strong(s)).collect())?;
    let back = binding.embedded_signature().filter(|_| binding.key_flags().sign())?;
    if !is_strong(back) || back.verify_primary_key_binding(&sub.key, primary).is_err() {
        return None;
    }
    let created = u64::from(sub.key.created_at().as_secs());
    let own_end = seconds(binding.key_expiration_time()).map(|life| created + life);
    let expires = [end, own_end].into_iter().flatten().min();
    let fingerprint = hex(sub.key.fingerprint().as_bytes());
    Some(Trusted { key: Key::Sub(sub.key.clone()), fingerprint, created, expires })
}

/// A certification that is not the revocation of one.
fn is_statement(signature: &Signature) -> bool {
    signature.is_certification() && signature.typ() != Some(SignatureType::CertRevocation)
}

fn newest(signatures: Vec<&Signature>) -> Option<&Signature> {
    signatures.into_iter().max_by_key(|s| created(s))
}

fn is_strong(signature: &Signature) -> bool {
    use HashAlgorithm::{Sha256, Sha384, Sha3_256, Sha3_512, Sha512};
    matches!(signature.hash_alg(), Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512))
}

fn is_allowed(key: &PublicParams) -> bool {
    match key {
        PublicParams::RSA(rsa) => rsa.key.size() >= RSA_LEAST,
        PublicParams::ECDSA(_) | PublicParams::EdDSALegacy(_) | PublicParams::Ed25519(_) | PublicParams::Ed448(_) => {
            true
        }
        _ => false,
    }
}

fn created(signature: &Signature) -> Option<u64> {
    signature.created().map(|time| u64::from(time.as_secs()))
}

/// Zero means "never" (RFC 9580 §5.2.3.13).
fn seconds(duration: Option<pgp::types::Duration>) -> Option<u64> {
    duration.map(|d| std::time::Duration::from(d).as_secs()).filter(|&s| s > 0)
}

fn names(signature: &Signature, key: &impl pgp::types::KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().contains(&&key.legacy_key_id());
    }
    fingerprints.contains(&&key.fingerprint())
}

/// For messages: the fingerprint or key id that the signature names.
fn issuer(signature: &Signature) -> String {
    match (signature.issuer_fingerprint().first(), signature.issuer_key_id().first()) {
        (Some(fingerprint), _) => hex(fingerprint.as_bytes()),
        (None, Some(id)) => id.to_string(),
        (None, None) => "an unnamed key".into(),
    }
}
