//! An HTTPS server in front of an API, that forgets each request, with no words for anything it does. `docs/gateway.md` says
//! what it passes on and for how long it keeps it.
//!
//! ```text
//! TLS ─ strict (HTTP/1.1 only) ─ hyper ─ rules ─ route ─ allowed headers ─ lease of a connection ─ upstream
//!   client ◄──────────────────── body, piece by piece, both ways ────────────────────► upstream
//! ```
#![forbid(unsafe_code)]

mod account;
pub mod chunks;
mod client;
pub mod counts;
mod exchange;
mod forward;
pub mod head;
pub mod headers;
pub mod limits;
pub mod path;
mod patience;
mod refusal;
pub mod routes;
pub mod rules;
pub mod run;
mod upstream;
mod workers;

pub use vitrine_child::stop;
