//! The certificate of draft-denis-dprive-dnscrypt-09 §13, what must not pass for one, and which of several is taken.

use super::*;
use ed25519_dalek::{Signer as _, SigningKey};
use hickory_proto::op::{OpCode, Query};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Record, RecordType};

const FROM: u64 = 0x6800_0000;
const UNTIL: u64 = 0x6801_5180;

/// The seed is 00 01 … 1f.
fn provider() -> SigningKey {
    SigningKey::from_bytes(&std::array::from_fn(|n| n as u8))
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn vector() -> Vec<u8> {
    unhex(concat!(
        "444e5343000200003a570ea17f47b80217977fbb455840bfd50ab32f5fbf2aabc173a6a49b7a49ca55362a6c5dec47657cf515e9",
        "f99382a316dfecd964b94d1c4659cac45961400c358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254",
        "b1b2b3b4b5b6b7b8000000016800000068015180"
    ))
}

fn read(bytes: &[u8]) -> Result<Certificate, Refusal> {
    Certificate::read(bytes, &provider().verifying_key())
}

/// Signed by the provider, whatever is said.
fn signed(system: u16, serial: u32, from: u32, until: u32, extensions: &[u8]) -> Vec<u8> {
    let fields = [&[9; 32][..], &[8; 8], &serial.to_be_bytes(), &from.to_be_bytes(), &until.to_be_bytes()].concat();
    let body = [&fields, extensions].concat();
    let signature = provider().sign(&body).to_bytes();
    [b"DNSC", &system.to_be_bytes()[..], &[0, 0], &signature, &body].concat()
}

#[test]
fn the_drafts_certificate() {
    let certificate = read(&vector()).unwrap();
    assert_eq!(certificate.system, System::ChaCha);
    assert_eq!(certificate.resolver[..4], [0x35, 0x80, 0x72, 0xd6]);
    assert_eq!(certificate.client_magic, [0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8]);
    assert_eq!(certificate.serial, 1);
    assert_eq!([FROM, UNTIL], [certificate.from, certificate.until].map(u64::from));
}

#[test]
fn valid_from_the_first_second_to_the_last() {
    let certificate = read(&vector()).unwrap();
    for (now, valid) in
        [(FROM - 1, false), (FROM, true), (UNTIL, true), (UNTIL + 1, false), (0, false), (u64::MAX, false)]
    {
        assert_eq!(certificate.is_current(now), valid, "{now}");
    }
    // ends before it begins
    let never = read(&signed(1, 1, 20, 10, b"")).unwrap();
    assert!((0..40).all(|now| !never.is_current(now)));
}

#[test]
fn cut_anywhere_it_is_none() {
    let good = vector();
    for length in 0..good.len() {
        assert_eq!(read(&good[..length]), Err(Refusal::Form), "{length} bytes");
    }
}

/// One bit of what is signed, or of the signature: refused. System and minor version are not signed.
#[test]
fn every_flipped_bit_is_seen() {
    let good = vector();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match bit / 8 {
            0..4 => assert_eq!(read(&bad), Err(Refusal::Form), "bit {bit}"),
            4..6 => assert_eq!(read(&bad), Err(Refusal::System), "bit {bit}"),
            6..8 => assert_eq!(read(&bad), read(&good), "bit {bit}"),
            _ => assert_eq!(read(&bad), Err(Refusal::Signature), "bit {bit}"),
        }
    }
}

#[test]
fn only_the_named_provider_signs() {
    let other = SigningKey::from_bytes(&[7; 32]).verifying_key();
    assert_eq!(Certificate::read(&vector(), &other), Err(Refusal::Signature));
}

#[test]
fn unknown_systems_and_extensions() {
    for system in [0, 3, 0x100, 0xffff] {
        assert_eq!(read(&signed(system, 1, 0, 9, b"")), Err(Refusal::System), "{system}");
    }
    assert_eq!(read(&signed(1, 1, 0, 9, b"")).unwrap().system, System::Salsa);
    // an extension is ignored, but it is signed
    let mut extended = signed(1, 1, 0, 9, b"later");
    assert!(read(&extended).is_ok());
    extended.push(0);
    assert_eq!(read(&extended), Err(Refusal::Signature));
}

fn name() -> Name {
    Name::from_ascii("2.dnscrypt-cert.example.").unwrap()
}

fn answer(texts: &[Vec<u8>]) -> Message {
    let mut message = Message::response(1, OpCode::Query);
    message.add_query(Query::query(name(), RecordType::TXT));
    let text = |text: &Vec<u8>| RData::TXT(TXT::from_bytes(text.chunks(100).collect()));
    message.add_answers(texts.iter().map(|bytes| Record::from_rdata(name(), 60, text(bytes))));
    message
}

fn chosen(message: &Message, now: u64) -> Option<(u32, System)> {
    best(message, &name(), &provider().verifying_key(), now).map(|found| (found.serial, found.system))
}

#[test]
fn the_highest_serial_that_is_valid_now() {
    let message = answer(&[
        b"no certificate".to_vec(),
        signed(1, 3, 10, 20, b""),
        signed(2, 3, 10, 20, b""),
        signed(2, 2, 5, 30, b""),
        signed(3, 9, 0, 99, b""),
        signed(1, 4, 21, 22, b""),
    ]);
    let found: Vec<_> = [4, 5, 10, 20, 21, 23, 31].into_iter().map(|now| chosen(&message, now)).collect();
    let (salsa, chacha) = (System::Salsa, System::ChaCha);
    assert_eq!(
        found,
        [None, Some((2, chacha)), Some((3, chacha)), Some((3, chacha)), Some((4, salsa)), Some((2, chacha)), None]
    );
}

#[test]
fn only_text_at_the_providers_name_counts() {
    let good = signed(1, 1, 0, 9, b"");
    assert!(chosen(&answer(std::slice::from_ref(&good)), 5).is_some());
    let mut elsewhere = answer(std::slice::from_ref(&good));
    elsewhere.answers[0].name = Name::from_ascii("2.dnscrypt-cert.other.").unwrap();
    let mut address = answer(&[]);
    address.add_answer(Record::from_rdata(name(), 60, RData::A(A::new(192, 0, 2, 1))));
    let mut refused = answer(std::slice::from_ref(&good));
    refused.metadata.response_code = ResponseCode::Refused;
    let mut question = answer(&[good]);
    question.metadata.message_type = MessageType::Query;
    for message in [elsewhere, address, refused, question, answer(&[])] {
        assert_eq!(chosen(&message, 5), None, "{message:?}");
    }
}

#[test]
fn no_more_than_sixteen_are_looked_at() {
    let mut texts = vec![b"DNSC".to_vec(); MOST];
    texts.push(signed(1, 1, 0, 9, b""));
    assert_eq!(chosen(&answer(&texts), 5), None);
    texts.remove(0);
    assert!(chosen(&answer(&texts), 5).is_some());
}
