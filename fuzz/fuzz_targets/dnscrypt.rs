//! What a DNSCrypt server sends. Invariants, for any bytes:
//! - reading a certificate, an answer with certificates, or a sealed answer never panics;
//! - bytes that nobody signed are no certificate; signed ones are read as what they say, or refused;
//! - bytes that nobody sealed are no message; sealed ones open only with their padding, and to what was sealed.
#![no_main]

use ed25519_dalek::{Signer, SigningKey};
use hickory_proto::op::Message;
use hickory_proto::rr::Name;
use libfuzzer_sys::fuzz_target;
use vitrine_resolver::upstream::dnscrypt::certificate::{best, Certificate, Refusal, System};
use vitrine_resolver::upstream::dnscrypt::{padding, resolver_side};

fuzz_target!(|data: &[u8]| {
    certificates(data);
    for system in [System::Salsa, System::ChaCha] {
        answers(system, data);
    }
});

fn certificates(data: &[u8]) {
    let signer = SigningKey::from_bytes(&[3; 32]);
    let provider = signer.verifying_key();
    assert!(Certificate::read(data, &provider).is_err());
    if let Ok(message) = Message::from_vec(data) {
        let name = Name::from_ascii("2.dnscrypt-cert.example.").expect("a name");
        assert_eq!(best(&message, &name, &provider, 1), None);
    }
    // what is behind a good signature
    let signed = [b"DNSC\0\x02\0\0", &signer.sign(data).to_bytes()[..], data].concat();
    match Certificate::read(&signed, &provider) {
        Ok(read) => {
            let times = [read.serial, read.from, read.until].map(u32::to_be_bytes).concat();
            assert!(data.starts_with(&[&read.resolver[..], &read.client_magic, &times].concat()));
            assert_eq!(read.is_current(read.from.into()), read.from <= read.until);
        }
        Err(refusal) => assert!(refusal == Refusal::Form && data.len() < 52),
    }
}

fn answers(system: System, data: &[u8]) {
    let (question, opener) = resolver_side::question(system, b"question");
    assert_eq!(opener.open(data), None);
    let sealed = resolver_side::answer(system, &question, data);
    assert_eq!(opener.open(&sealed).as_deref(), padding::remove(data));
    let mut padded = data.to_vec();
    padding::add(&mut padded, 0);
    assert_eq!(opener.open(&resolver_side::answer(system, &question, &padded)).as_deref(), Some(data));
}
