//! The key of a DNSCrypt provider.

use crate::digest::Key32;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// An Ed25519 public key. It is written as our other keys are, in base64; read is also the form in which providers
/// publish theirs: 64 hex digits of either case, with or without colons (`1A2B:3C4D:…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ProviderKey(Key32);

impl ProviderKey {
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0 .0
    }

    /// Whether a signature can be checked with it: a point of the curve, and none of the few that anybody can sign for.
    pub(super) fn is_usable(&self) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(self.bytes()).is_ok_and(|key| !key.is_weak())
    }
}

impl From<[u8; 32]> for ProviderKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Key32(bytes))
    }
}

impl fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ProviderKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // 32 bytes have 44 characters in base64: the two forms cannot be taken for each other
        let digits: String = text.chars().filter(|&c| c != ':').map(|c| c.to_ascii_lowercase()).collect();
        match crate::digest::unhex(&digits).map(<[u8; 32]>::try_from) {
            Ok(Ok(bytes)) => Ok(Self::from(bytes)),
            _ => text.parse().map(Self),
        }
    }
}

impl<'de> Deserialize<'de> for ProviderKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
