//! What the other side does, with fixed keys: for tests and for fuzzing, in no program.

use super::certificate::{Certificate, System};
use super::seal::{self, Cipher, Fresh, Opener, ANSWER_MAGIC};
use x25519_dalek::{PublicKey, StaticSecret};

pub fn counted<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|n| first.wrapping_add(n as u8))
}

/// The resolver's secret key is 20 21 … 3f.
fn secret() -> StaticSecret {
    StaticSecret::from(counted::<32>(0x20))
}

pub fn certificate(system: System) -> Certificate {
    let resolver = PublicKey::from(&secret()).to_bytes();
    Certificate { system, resolver, client_magic: counted(0xb1), serial: 1, from: 0, until: 9 }
}

/// The client's secret key is 40 41 … 5f, its nonce a0 a1 … ab.
pub fn fresh() -> Fresh {
    Fresh { secret: StaticSecret::from(counted::<32>(0x40)), nonce: counted(0xa0) }
}

/// A sealed question, and what opens its answer.
pub fn question(system: System, message: &[u8]) -> (Vec<u8>, Opener) {
    fresh().seal(&certificate(system), message, 256).expect("a good key")
}

/// As the resolver of [`certificate`] answers; `padded` has its padding already.
pub fn answer(system: System, question: &[u8], padded: &[u8]) -> Vec<u8> {
    let (client, ours) = (&question[8..40], &question[40..52]);
    let client = PublicKey::from(<[u8; 32]>::try_from(client).expect("32 bytes"));
    let shared = secret().diffie_hellman(&client);
    let (ours, theirs) = (ours.try_into().expect("12 bytes"), counted(0xc0));
    let mut sealed = padded.to_vec();
    let tag = Cipher::new(system, shared.as_bytes()).seal(&seal::nonce(&ours, &theirs), &mut sealed);
    [ANSWER_MAGIC, &ours, &theirs, tag.expect("a short message").as_slice(), &sealed].concat()
}
