//! The two keys of this boot. They are made in RAM, leave it only towards the kernel, and are wiped.

use crate::stop::{OrStop, Step};
use rustix::rand::{getrandom, GetRandomFlags};
use vitrine_attest::digest::Key32;
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

    #[test]
    fn pairs_differ_and_fit() {
        let (a, b) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        assert_ne!(a.public, b.public);
        assert_eq!(PublicKey::from(&StaticSecret::from(*a.secret())).to_bytes(), a.public.0);
    }
}
