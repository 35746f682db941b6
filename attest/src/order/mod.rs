//! Orders of the owner to a running server, and the server's answers.
//!
//! An order is sealed to the server's attested channel key, so nobody between owner and server sees which peers
//! there are, and signed by the owner's key, which is part of the measured configuration. The answer comes back under
//! a key that only PID 1 and whoever sealed the order know: an agent can drop both, and can make up neither.
//! Wire forms:
//! ```text
//! sealed  = enc[32] ‖ ciphertext ‖ tag[16]      HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256),
//!                                               HKDF-SHA256, ChaCha20Poly1305, info = DOMAIN, no aad
//! plain   = {"payload":base64,"signature":base64}
//! payload = {"op":{"add":{"allowed_ips":["10.66.0.7/32"],"peer":"…="}},"seq":1763679600000000000,"v":2}
//! ```
//! The signature is Ed25519 over `L(DOMAIN) ‖ L(channel_pub) ‖ L(payload)`: an order for one boot of one server
//! is worth nothing on another one, whose channel key differs. Within one boot `seq` has to rise. The answer's form
//! stands in [`answer`](self::Answer).
//!
//! There is no list and no get: the owner asks about one peer ([`Operation::Has`]), or whether the server holds
//! exactly a set that the owner knows already ([`Operation::Commit`]). [`Operation::Attach`] names what the server hands out
//! beside its evidence.

mod answer;
mod commitment;
mod form;
mod part;
mod refusal;
mod seal;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Changes, Reply, Responder, SEALED_ANSWER_LENGTH};
pub use commitment::{commitment, merged};
pub use form::{Operation, Order, Part, Peer};
pub use part::{split, Stage, PARTS_LIMIT};
pub use refusal::Refusal;
pub use seal::{open, seal_order, Opened, Sealed};

/// Separates this use of HPKE and of the owner's key from every other one.
const DOMAIN: &[u8] = b"vitrine order v2";
/// Version of payload and answer.
pub const VERSION: u32 = 2;
/// Largest sealed order in bytes; what an agent reads from `POST /v1/order`.
pub const ORDER_LIMIT: usize = 32 << 10;
/// Most networks of one peer: they and everything else fit into [`ORDER_LIMIT`].
pub const ALLOWED_IPS_LIMIT: usize = 32;
