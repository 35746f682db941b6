//! Sealed questions and answers (DNSCrypt version 2, §§2, 7, 11).
//!
//! ```text
//! question  8  client magic     32  client's key   12  nonce              16  tag   …  padded message, encrypted
//! answer    8  "r6fnvWj8"       12  question's nonce + 12 resolver's      16  tag   …  padded message, encrypted
//! ```
//! Every question has a key pair of its own, made for it and forgotten with it: what is recorded on the way cannot be
//! opened later with anything this process still has, and no two questions of ours show the same key.

use super::certificate::{Certificate, System};
use super::padding;
use crypto_secretbox::aead::generic_array::GenericArray;
use crypto_secretbox::{
    AeadInPlace as _, Kdf as _, Key, KeyInit as _, Nonce, Tag, XChaCha20Poly1305, XSalsa20Poly1305,
};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

pub(super) const ANSWER_MAGIC: &[u8] = b"r6fnvWj8";
const TAG: usize = 16;
const HALF_NONCE: usize = 12;
/// Bytes that a sealed question has besides its padded message.
pub const OVERHEAD: usize = 8 + 32 + HALF_NONCE + TAG;

/// What one question needs that nobody else may know or have used.
pub struct Fresh {
    pub(super) secret: StaticSecret,
    pub(super) nonce: [u8; HALF_NONCE],
}

/// Opens the answer to one question, and nothing else.
pub struct Opener {
    cipher: Cipher,
    nonce: [u8; HALF_NONCE],
}

/// Wiped when dropped.
pub(super) enum Cipher {
    Salsa(XSalsa20Poly1305),
    ChaCha(XChaCha20Poly1305),
}

impl Fresh {
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let (mut secret, mut nonce) = (Zeroizing::new([0; 32]), [0; HALF_NONCE]);
        getrandom::fill(secret.as_mut_slice())?;
        getrandom::fill(&mut nonce)?;
        Ok(Self { secret: StaticSecret::from(*secret), nonce })
    }

    /// The packet, and what opens its answer. `least`: bytes of the padded message, see [`padding::add`].
    ///
    /// `None`: the resolver's key is one of the few with which everybody would get the same shared key (RFC 7748 §6.1).
    pub fn seal(self, certificate: &Certificate, message: &[u8], least: usize) -> Option<(Vec<u8>, Opener)> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(certificate.resolver));
        if !shared.was_contributory() {
            return None;
        }
        let cipher = Cipher::new(certificate.system, shared.as_bytes());
        let mut sealed = message.to_vec();
        padding::add(&mut sealed, least);
        let tag = cipher.seal(&nonce(&self.nonce, &[0; HALF_NONCE]), &mut sealed)?;
        let public = PublicKey::from(&self.secret);
        let packet = [&certificate.client_magic[..], public.as_bytes(), &self.nonce, tag.as_slice(), &sealed].concat();
        Some((packet, Opener { cipher, nonce: self.nonce }))
    }
}

impl Opener {
    /// The message in an answer; `None` for anything but an answer to this question by who has the resolver's key.
    pub fn open(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let rest = packet.strip_prefix(ANSWER_MAGIC)?.strip_prefix(&self.nonce)?;
        let (theirs, rest) = rest.split_first_chunk::<HALF_NONCE>()?;
        let (tag, sealed) = rest.split_first_chunk::<TAG>()?;
        let mut message = sealed.to_vec();
        self.cipher.open(&nonce(&self.nonce, theirs), &mut message, Tag::from_slice(tag))?;
        let length = padding::remove(&message)?.len();
        message.truncate(length);
        Some(message)
    }
}

impl Cipher {
    /// HSalsa20 or HChaCha20 over the shared point, as `crypto_box_beforenm` does.
    pub(super) fn new(system: System, shared: &[u8; 32]) -> Self {
        let (point, zero) = (Key::from_slice(shared), GenericArray::default());
        let mut key = match system {
            System::Salsa => XSalsa20Poly1305::kdf(point, &zero),
            System::ChaCha => XChaCha20Poly1305::kdf(point, &zero),
        };
        let cipher = match system {
            System::Salsa => Self::Salsa(XSalsa20Poly1305::new(&key)),
            System::ChaCha => Self::ChaCha(XChaCha20Poly1305::new(&key)),
        };
        key.as_mut_slice().zeroize();
        cipher
    }

    pub(super) fn seal(&self, nonce: &Nonce, message: &mut [u8]) -> Option<Tag> {
        match self {
            Self::Salsa(cipher) => cipher.encrypt_in_place_detached(nonce, b"", message).ok(),
            Self::ChaCha(cipher) => cipher.encrypt_in_place_detached(nonce, b"", message).ok(),
        }
    }

    /// Compares the tag in constant time, before a byte is decrypted.
    fn open(&self, nonce: &Nonce, message: &mut [u8], tag: &Tag) -> Option<()> {
        match self {
            Self::Salsa(cipher) => cipher.decrypt_in_place_detached(nonce, b"", message, tag).ok(),
            Self::ChaCha(cipher) => cipher.decrypt_in_place_detached(nonce, b"", message, tag).ok(),
        }
    }
}

pub(super) fn nonce(ours: &[u8; HALF_NONCE], theirs: &[u8; HALF_NONCE]) -> Nonce {
    let mut nonce = Nonce::default();
    let (first, second) = nonce.split_at_mut(HALF_NONCE);
    first.copy_from_slice(ours);
    second.copy_from_slice(theirs);
    nonce
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
