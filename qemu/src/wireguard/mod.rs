//! A WireGuard client without root: the protocol in user space (boringtun), and inside the tunnel a network
//! stack of our own (smoltcp) that can ping and fetch a page.

mod client;
mod tunnel;

pub use client::{Client, Page};
pub use tunnel::Tunnel;

use vitrine_attest::digest::Key32;
use vitrine_attest::Result;
use x25519_dalek::{PublicKey, StaticSecret};

/// A client's key pair, wiped when dropped.
pub struct ClientKey(StaticSecret);

impl ClientKey {
    /// # Errors
    /// When the kernel has no random bytes.
    pub fn generate() -> Result<Self> {
        Ok(Self(StaticSecret::from(crate::random::bytes::<32>()?)))
    }

    /// The pair of a private key that stands in a configuration.
    pub fn of(private: Key32) -> Self {
        Self(StaticSecret::from(private.0))
    }

    pub fn public(&self) -> Key32 {
        Key32(PublicKey::from(&self.0).to_bytes())
    }
}
