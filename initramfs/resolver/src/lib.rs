//! DNS inside the tunnel: answers over UDP, TCP, TLS and HTTPS, recursive or forwarding, always validating, with no
//! words for anything it does. `docs/resolver.md` says what it keeps and for how long.
//!
//! ```text
//! packet ─ question ─ refused? ─ cache ─ blocklist ─ special name ─ upstream ─ verdict ─ compose ─ answer ─ packet
//! ```
#![forbid(unsafe_code)]

pub mod answer;
pub mod blocklist;
pub mod cache;
mod compose;
pub mod key;
pub mod limits;
pub mod question;
pub mod reply;
pub mod run;
pub mod server;
pub mod service;
pub mod special;
pub mod upstream;

pub use vitrine_child::stop;

/// What a question came in by, as far as an answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
    /// DoT and DoH.
    Encrypted,
}
