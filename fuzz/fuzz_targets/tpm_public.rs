//! TPMT_PUBLIC and TPM2B_PUBLIC. Invariants, for any bytes:
//! - parsing never panics and is deterministic;
//! - `as_bytes` are the bytes that were read, and with a length before them they are a TPM2B_PUBLIC of the same key;
//! - a name is there exactly for SHA-256, is 34 bytes, and is the hash of these bytes;
//! - making a credential to such a key never panics, nor does verifying a signature by it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_attest::credential::make_credential;
use vitrine_attest::tpm::{alg, attribute, Public, Scheme, Signature};
use vitrine_attest::Sha256;

fuzz_target!(|data: &[u8]| {
    if let Ok(public) = Public::parse_sized(data) {
        assert_eq!(public.as_bytes(), &data[2..]);
    }
    let Ok(public) = Public::parse(data) else { return };
    assert_eq!(Public::parse(public.as_bytes()), Ok(public.clone()));
    assert_eq!(public.as_bytes(), data);
    let length = u16::try_from(data.len()).expect("its fields are far shorter than 64 KiB");
    assert_eq!(Public::parse_sized(&[&length.to_be_bytes(), data].concat()), Ok(public.clone()));
    names(&public, data);
    assert!(public.p256_point().is_none_or(|point| point[0] == 4));
    let _ = attribute::names(public.attributes);
    let _ = make_credential(&public, &[0; 34], &[7; 32]);
    let rsa = Scheme::Rsa(vec![1; 256]);
    let ecdsa = Scheme::Ecdsa { r: vec![1; 32], s: vec![1; 32] };
    for (algorithm, scheme) in [(alg::RSASSA, rsa), (alg::ECDSA, ecdsa)] {
        let signature = Signature { algorithm, hash: alg::SHA256, scheme };
        assert!(signature.verify(&public, b"message").is_err());
    }
});

fn names(public: &Public, data: &[u8]) {
    let name = public.name();
    assert_eq!(name.is_some(), public.name_alg == alg::SHA256);
    assert_eq!(public.qualified_name().is_some(), name.is_some());
    if let Some(name) = name {
        assert_eq!(name, [&[0, 0x0b], &Sha256::of(data).0[..]].concat());
    }
}
