//! Makes the adversary's test kit: sessions with a server that has one defect each. See `attest/testkit/README.md`.
//!
//! [`Stage`] holds what all cases share: a software TPM with a certificate, a firmware log, a signed statement. A case
//! is a function that plays one defect on it; its name is that of the file, and what a verifier has to say about it is
//! written by hand in `cases.toml`, never taken from a verifier.
#![forbid(unsafe_code)]

pub mod boot;
pub mod cases;
pub mod certificate;
pub mod firmware;
pub mod forge;
pub mod list;
pub mod machine;
pub mod session;
pub mod stage;
pub mod swtpm;

pub use stage::Stage;

use vitrine_attest::Error;

/// For what only a broken host explains.
pub(crate) fn host(what: impl std::fmt::Display) -> Error {
    Error::host(what.to_string(), "install swtpm, swtpm-tools and tpm2-tools, and try again")
}

/// A TPM2B: 16-bit length, then the bytes.
pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("fields of TPM structures made here have less than 64 KiB");
    [&length.to_be_bytes(), bytes].concat()
}
