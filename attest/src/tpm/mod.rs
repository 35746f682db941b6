//! TPM 2.0 structures as they are on the wire (TPM 2.0 Part 2 "Structures", revision 1.59), read strictly.
//!
//! Only what a verifier needs: public areas of keys, a quote, a signature. Every read is bounded, nothing is
//! allocated by a foreign number, and a structure that does not end where its bytes end is refused.

mod public;
mod quote;
mod reader;
mod signature;

pub use public::{attribute, EccParameters, KeyKind, Public, Symmetric};
pub use quote::{Attest, ClockInfo, PcrSelection, Quote, GENERATED, QUOTE};
pub use reader::Malformed;
pub use signature::{Refused, Scheme, Signature};

/// Algorithm identifiers (Part 2 §6.3, TPM_ALG_ID).
pub mod alg {
    pub const RSA: u16 = 0x0001;
    pub const SHA1: u16 = 0x0004;
    pub const AES: u16 = 0x0006;
    pub const SHA256: u16 = 0x000B;
    pub const SHA384: u16 = 0x000C;
    pub const NULL: u16 = 0x0010;
    pub const RSASSA: u16 = 0x0014;
    pub const RSAES: u16 = 0x0015;
    pub const RSAPSS: u16 = 0x0016;
    pub const OAEP: u16 = 0x0017;
    pub const ECDSA: u16 = 0x0018;
    pub const ECDAA: u16 = 0x001A;
    pub const ECC: u16 = 0x0023;
    pub const CFB: u16 = 0x0043;

    /// For people; unknown ones as hex.
    pub fn name(id: u16) -> String {
        match id {
            RSA => "RSA".into(),
            SHA1 => "SHA-1".into(),
            AES => "AES".into(),
            SHA256 => "SHA-256".into(),
            SHA384 => "SHA-384".into(),
            NULL => "none".into(),
            RSASSA => "RSASSA".into(),
            RSAPSS => "RSAPSS".into(),
            OAEP => "OAEP".into(),
            ECDSA => "ECDSA".into(),
            ECC => "ECC".into(),
            CFB => "CFB".into(),
            other => format!("algorithm {other:#06x}"),
        }
    }
}

/// Curve NIST P-256 (Part 2 §6.4, TPM_ECC_CURVE).
pub const CURVE_P256: u16 = 0x0003;
/// Handle of the endorsement hierarchy (Part 2 §7.4, TPM_RH_ENDORSEMENT).
pub const RH_ENDORSEMENT: u32 = 0x4000_000B;
