//! Certificates of a DNSCrypt provider (DNSCrypt version 2, §12): short-term keys of a resolver, signed by the key that
//! the configuration names.
//!
//! ```text
//!   0  4  "DNSC"          8  64  signature       104  8  client magic    116  4  valid from, Unix time
//!   4  2  system         72  32  resolver's key  112  4  serial          120  4  valid until, inclusive
//!   6  2  minor version                                                  124  …  extensions, ignored
//! ```
//! All numbers are big-endian. The signature covers everything from byte 72 on. System and minor version are not
//! signed: somebody on the way can change them, and then no answer can be opened.

use ed25519_dalek::{Signature, VerifyingKey};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RData};

const MAGIC: &[u8] = b"DNSC";
/// Records of one answer that are looked at; a provider shows two or three.
const MOST: usize = 16;

/// How questions and answers are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// 1: X25519-XSalsa20Poly1305, `crypto_box` of NaCl.
    Salsa,
    /// 2: X25519-XChaCha20Poly1305, the same box with ChaCha20; not the AEAD of that name.
    ChaCha,
}

/// A certificate with a good signature. That it is valid today is for [`Self::is_current`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub system: System,
    /// X25519.
    pub resolver: [u8; 32],
    /// Every question begins with it.
    pub client_magic: [u8; 8],
    pub serial: u32,
    /// Seconds of Unix time.
    pub from: u32,
    /// The last second, Unix time.
    pub until: u32,
}

/// Why bytes are no certificate for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too short, or other bytes.
    Form,
    /// A way to seal that is not spoken here.
    System,
    Signature,
}

impl Certificate {
    /// # Errors
    /// See [`Refusal`].
    pub fn read(bytes: &[u8], provider: &VerifyingKey) -> Result<Self, Refusal> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refusal::Form)?;
        let (system, rest) = rest.split_first_chunk::<2>().ok_or(Refusal::Form)?;
        let (_minor, rest) = rest.split_first_chunk::<2>().ok_or(Refusal::Form)?;
        let (signature, signed) = rest.split_first_chunk::<64>().ok_or(Refusal::Form)?;
        let system = match u16::from_be_bytes(*system) {
            1 => System::Salsa,
            2 => System::ChaCha,
            _ => return Err(Refusal::System),
        };
        let certificate = Self::fields(system, signed).ok_or(Refusal::Form)?;
        provider.verify_strict(signed, &Signature::from_bytes(signature)).map_err(|_| Refusal::Signature)?;
        Ok(certificate)
    }

    fn fields(system: System, signed: &[u8]) -> Option<Self> {
        let (resolver, rest) = signed.split_first_chunk::<32>()?;
        let (client_magic, rest) = rest.split_first_chunk::<8>()?;
        let (serial, rest) = rest.split_first_chunk::<4>()?;
        let (from, rest) = rest.split_first_chunk::<4>()?;
        let (until, _extensions) = rest.split_first_chunk::<4>()?;
        Some(Self {
            system,
            resolver: *resolver,
            client_magic: *client_magic,
            serial: u32::from_be_bytes(*serial),
            from: u32::from_be_bytes(*from),
            until: u32::from_be_bytes(*until),
        })
    }

    /// `now`: seconds of Unix time. No tolerance, as DNSSEC's signatures have none here.
    pub fn is_current(&self, now: u64) -> bool {
        (u64::from(self.from)..=u64::from(self.until)).contains(&now)
    }
}

/// The best certificate in an answer to a question for TXT records at the provider's name: of those that are current,
/// the one with the highest serial; of two with the same one, that with the newer system.
pub fn best(answer: &Message, name: &Name, provider: &VerifyingKey, now: u64) -> Option<Certificate> {
    let metadata = &answer.metadata;
    if metadata.message_type != MessageType::Response || metadata.response_code != ResponseCode::NoError {
        return None;
    }
    let texts = answer.answers.iter().filter(|record| record.name == *name).filter_map(|record| match &record.data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    });
    texts
        .take(MOST)
        .filter_map(|text| Certificate::read(&text, provider).ok())
        .filter(|certificate| certificate.is_current(now))
        .max_by_key(|certificate| (certificate.serial, certificate.system))
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
