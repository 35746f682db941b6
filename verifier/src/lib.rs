//! `vitrine-verify`: what an outsider installs, alone.
//!
//! Asks a server for evidence and judges it against a signed statement. No TPM library, no QEMU; TLS only with keys that a TPM has
//! vouched for (and, with a feature, for logs and witnesses); a saved conversation can be judged again without a network.
#![forbid(unsafe_code)]

#[cfg(feature = "anchors")]
pub mod anchor;
pub mod app_report;
pub mod beacon;
pub mod bundle;
pub mod case;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod commands;
#[cfg(feature = "cpu-evidence")]
pub mod cpu;
pub mod demands;
pub mod exchange;
pub mod explanation;
pub mod fetch;
pub mod files;
pub mod fleet;
pub mod gateway;
pub mod grounds;
pub mod http_serve;
pub mod limits;
pub mod lines;
pub mod log;
pub mod memory;
pub mod monitor;
pub mod outcome;
pub mod policy;
pub mod promise;
pub mod proxy;
pub mod published;
pub mod report;
pub mod roots;
pub mod runtime;
pub mod scratch;
pub mod secret_key;
pub mod server;
pub mod servers;
pub mod session;
pub mod verdict;
pub mod witness;
