//! Boots Vitrine images under QEMU with UEFI, Secure Boot and a TPM, without root, and leaves nothing behind.
//!
//! ```no_run
//! # fn main() -> vitrine_attest::Result<()> {
//! use vitrine_qemu::boot::{Arrival, Guest, Options, SecureBoot, PATIENCE};
//! let image = std::fs::read("out/image.efi").unwrap();
//! let mut guest = Guest::start(&Options::new(image, SecureBoot::Off), &mut |line| eprintln!("{line}"))?;
//! assert!(matches!(guest.wait(PATIENCE)?, Arrival::Up(_)));
//! println!("{} {}", guest.url(), guest.ek_roots().display());
//! # Ok(()) }
//! ```

pub mod boot;
pub mod cache;
pub mod card;
pub mod cli;
pub mod commands;
pub mod controls;
pub mod download;
pub mod esp;
pub mod firmware;
pub mod http;
pub mod interrupt;
pub mod kvm;
pub mod machine;
pub mod medium;
pub mod process;
pub mod progress;
pub mod prove;
pub mod qmp;
pub mod random;
pub mod scan;
pub mod scratch;
pub mod tamper;
pub mod text;
pub mod tpm;
pub mod vars;
pub mod verify;
pub mod web;
pub mod wireguard;
pub mod world;
