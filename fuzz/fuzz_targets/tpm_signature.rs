//! TPMT_SIGNATURE. Invariants, for any bytes:
//! - parsing never panics and is deterministic;
//! - what was parsed, written again field by field, is exactly the bytes;
//! - no such signature holds for a fixed key over a fixed message, and trying it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::tpm::{Public, Scheme, Signature};

fuzz_target!(|data: &[u8]| {
    let Ok(signature) = Signature::parse(data) else { return };
    assert_eq!(Signature::parse(data), Ok(signature.clone()));
    assert_eq!(write(&signature), data);
    for key in [rsa_key(), p256_key()] {
        assert!(signature.verify(&key, b"message").is_err());
    }
});

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn write(signature: &Signature) -> Vec<u8> {
    let body = match &signature.scheme {
        Scheme::Rsa(bytes) => sized(bytes),
        Scheme::Ecdsa { r, s } => [sized(r), sized(s)].concat(),
    };
    [&signature.algorithm.to_be_bytes()[..], &signature.hash.to_be_bytes(), &body].concat()
}

/// Restricted RSASSA key with a modulus of 2048 bits that nobody can sign for.
fn rsa_key() -> Public {
    let head = [0, 1, 0, 0x0b, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0b, 8, 0, 0, 0, 0, 0, 1, 0];
    Public::parse(&[&head[..], &[0xa5; 256]].concat()).expect("the structure is fixed")
}

/// The base point of P-256 (FIPS 186-4 D.1.2.3).
fn p256_key() -> Public {
    const X: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    const Y: &str = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let number = |hex: &str| vitrine_attest::digest::unhex(hex).expect("both are hex");
    let head = [0, 0x23, 0, 0x0b, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10];
    let point = [sized(&number(X)), sized(&number(Y))].concat();
    Public::parse(&[&head[..], &point].concat()).expect("the structure is fixed")
}
