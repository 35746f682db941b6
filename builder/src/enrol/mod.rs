//! Secure Boot enrolment of real machines: signature lists and signed variable updates.
//!
//! Everything is public and depends on its input alone: RSA PKCS#1 v1.5 has no random part, and the time stamp is the begin of
//! PK's validity, or what the person says. The bytes are those of efitools' `cert-to-efi-sig-list` and `sign-efi-sig-list`.

pub mod first;
pub mod folder;
pub mod foreign;
mod pkcs7;
pub mod plan;
mod readme;
pub mod rotate;
pub mod set;
mod state;
pub mod time;
pub mod update;

#[cfg(test)]
mod tests;
