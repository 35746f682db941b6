//! Orders sealed and opened, one defect at a time.

use super::seal::{seal, signed_bytes, Kem, Signed};
use super::*;
use crate::canonical::to_canonical_json;
use crate::config::Cidr;
use crate::digest::Key32;
use crate::Sha256;
use ed25519_dalek::{Signer as _, SigningKey};
use hpke::{Deserializable as _, Kem as _, Serializable as _};

const SECRET: [u8; 32] = [5; 32];

fn channel_pub(secret: &[u8; 32]) -> Key32 {
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).unwrap();
    Key32(Kem::sk_to_pk(&secret).to_bytes().into())
}

fn owner(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn owner_pub() -> Key32 {
    Key32(owner(1).verifying_key().to_bytes())
}

fn order(op: Operation) -> Order {
    Order { v: VERSION, seq: 10, op }
}

fn peer(networks: &[&str]) -> Peer {
    Peer { peer: Key32([9; 32]), allowed_ips: networks.iter().map(|text| text.parse().unwrap()).collect() }
}

fn add() -> Order {
    order(Operation::Add(peer(&["10.66.0.7/32", "fd66::7/128"])))
}

fn sealed(order: &Order) -> Vec<u8> {
    seal_order(order, &owner(1), &channel_pub(&SECRET)).unwrap().bytes
}

fn sealed_raw(payload: &[u8]) -> Vec<u8> {
    let signature = owner(1).sign(&signed_bytes(&channel_pub(&SECRET), payload)).to_bytes().to_vec();
    let signed = to_canonical_json(&Signed { payload: payload.into(), signature }).unwrap();
    seal(&signed, &channel_pub(&SECRET)).unwrap().bytes
}

fn opened(bytes: &[u8]) -> std::result::Result<Order, Refusal> {
    after(bytes, 9)
}

fn after(bytes: &[u8], last_seq: u64) -> std::result::Result<Order, Refusal> {
    open(bytes, &SECRET, &owner_pub(), last_seq).and_then(|opened| opened.order)
}

#[test]
fn seal_and_open() {
    let part = Part { part: 1, parts: 1, peers: vec![peer(&["10.66.0.7/32"])] };
    for op in [
        add().op,
        Operation::Remove(Key32([9; 32])),
        Operation::Has(Key32([9; 32])),
        Operation::Commit(Sha256::ZERO),
        Operation::Attach(Some(Sha256::ZERO)),
        Operation::Attach(None),
        Operation::Sync(part),
    ] {
        assert_eq!(opened(&sealed(&order(op.clone()))), Ok(order(op)));
    }
}

/// If you meant to change the format: give the domain and [`VERSION`] new numbers and update `docs/formats/order.md`.
#[test]
fn payloads_as_documented() {
    let json = |op: Operation| String::from_utf8(to_canonical_json(&Order { v: 2, seq: 7, op }).unwrap()).unwrap();
    let key = Key32([9; 32]);
    let one = format!(r#"{{"allowed_ips":["10.66.0.7/32"],"peer":"{key}"}}"#);
    assert_eq!(json(Operation::Add(peer(&["10.66.0.7/32"]))), format!(r#"{{"op":{{"add":{one}}},"seq":7,"v":2}}"#));
    assert_eq!(json(Operation::Has(key)), format!(r#"{{"op":{{"has":"{key}"}},"seq":7,"v":2}}"#));
    let zero = Sha256::ZERO;
    assert_eq!(json(Operation::Attach(Some(zero))), format!(r#"{{"op":{{"attach":"{zero}"}},"seq":7,"v":2}}"#));
    assert_eq!(json(Operation::Attach(None)), r#"{"op":{"attach":null},"seq":7,"v":2}"#);
    let sync = Operation::Sync(Part { part: 1, parts: 2, peers: vec![peer(&["10.66.0.7/32"])] });
    assert_eq!(json(sync), format!(r#"{{"op":{{"sync":{{"part":1,"parts":2,"peers":[{one}]}}}},"seq":7,"v":2}}"#));
}

/// Whoever sealed an order reads the answer; nobody else does, and an answer to another order is none.
#[test]
fn answers_belong_to_their_order() {
    let seal = || seal_order(&add(), &owner(1), &channel_pub(&SECRET)).unwrap();
    let (one, two) = (seal(), seal());
    let respond = |sealed: &Sealed| {
        open(&sealed.bytes, &SECRET, &owner_pub(), 9).ok().unwrap().responder.seal(&Answer::done()).unwrap()
    };
    assert_eq!(one.reply.open(&respond(&one)).unwrap(), Answer::done());
    assert_eq!(one.reply.open(&respond(&two)).unwrap_err().exit_code(), 1);
    assert!(one.reply.open(&vec![0; SEALED_ANSWER_LENGTH]).is_err());
    assert_ne!(respond(&one), respond(&one), "a nonce was used twice");
}

/// Strangers are told, in secret too, that they are none.
#[test]
fn a_stranger_gets_a_sealed_refusal() {
    let sealed = seal_order(&add(), &owner(2), &channel_pub(&SECRET)).unwrap();
    let opened = open(&sealed.bytes, &SECRET, &owner_pub(), 9).ok().unwrap();
    let refusal = opened.order.unwrap_err();
    let answer = opened.responder.seal(&Answer::refused(refusal.code())).unwrap();
    assert_eq!(sealed.reply.open(&answer).unwrap().code.as_deref(), Some("order-not-owner"));
}

#[test]
fn sealing_twice_gives_different_bytes() {
    assert_ne!(sealed(&add()), sealed(&add()));
}

#[test]
fn replay() {
    let bytes = sealed(&add());
    assert_eq!(after(&bytes, 10), Err(Refusal::Replay));
    assert_eq!(after(&bytes, 11), Err(Refusal::Replay));
}

#[test]
fn wrong_owner() {
    let bytes = seal_order(&add(), &owner(2), &channel_pub(&SECRET)).unwrap().bytes;
    assert_eq!(opened(&bytes), Err(Refusal::NotOwner));
}

#[test]
fn other_channel_key() {
    let bytes = seal_order(&add(), &owner(1), &channel_pub(&[6; 32])).unwrap().bytes;
    assert_eq!(opened(&bytes), Err(Refusal::Unsealed));
}

/// Server A opens an order and seals it again to server B: B sees that it was signed for A.
#[test]
fn an_order_passed_on_to_another_server() {
    let payload = to_canonical_json(&add()).unwrap();
    let signature = owner(1).sign(&signed_bytes(&channel_pub(&[6; 32]), &payload)).to_bytes().to_vec();
    let passed_on = to_canonical_json(&Signed { payload, signature }).unwrap();
    assert_eq!(opened(&seal(&passed_on, &channel_pub(&SECRET)).unwrap().bytes), Err(Refusal::NotOwner));
}

#[test]
fn every_truncation_and_every_flipped_byte() {
    let bytes = sealed(&add());
    for length in 0..bytes.len() {
        assert!(matches!(opened(&bytes[..length]), Err(Refusal::Size | Refusal::Unsealed)), "{length} bytes");
    }
    for i in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[i] ^= 0x10;
        assert_eq!(opened(&altered), Err(Refusal::Unsealed), "byte {i}");
    }
    assert_eq!(opened(&vec![0; ORDER_LIMIT + 1]), Err(Refusal::Size));
}

#[test]
fn malformed_payloads() {
    let good = String::from_utf8(to_canonical_json(&add()).unwrap()).unwrap();
    for bad in [
        good.replace("\"v\":2", "\"v\":1"),
        good.replace("\"v\":2", "\"v\":2,\"w\":1"),
        good.replace("\"op\"", " \"op\""),
        good.replace("add", "remove"),
        good.replace("add", "list"),
        good.replace("\"peer\"", "\"peer\":\"\",\"peer\""),
        good.replace("\"allowed_ips\":[", "\"allowed_ips\":[\"x\","),
        "{}".into(),
    ] {
        assert_eq!(opened(&sealed_raw(bad.as_bytes())), Err(Refusal::Malformed), "{bad}");
    }
    assert_eq!(opened(&sealed_raw(good.as_bytes())), Ok(add()));
}

#[test]
fn senseless_orders_are_neither_sealed_nor_taken() {
    let part = |part, parts, peers| Operation::Sync(Part { part, parts, peers });
    let many = Peer { allowed_ips: vec!["10.0.0.0/8".parse().unwrap(); ALLOWED_IPS_LIMIT + 1], ..peer(&[]) };
    for op in [
        Operation::Add(peer(&[])),
        Operation::Add(many.clone()),
        Operation::Add(Peer { peer: Key32([0; 32]), ..peer(&["10.66.0.7/32"]) }),
        Operation::Remove(Key32([0; 32])),
        Operation::Has(Key32([0; 32])),
        part(0, 1, vec![]),
        part(2, 1, vec![]),
        part(1, PARTS_LIMIT + 1, vec![peer(&["10.66.0.7/32"])]),
        part(1, 2, vec![]),
        part(1, 1, vec![many]),
    ] {
        let order = order(op);
        assert!(seal_order(&order, &owner(1), &channel_pub(&SECRET)).is_err(), "{order:?}");
        assert_eq!(opened(&sealed_raw(&to_canonical_json(&order).unwrap())), Err(Refusal::Malformed), "{order:?}");
    }
    assert!(seal_order(&add(), &owner(1), &Key32([0; 32])).is_err(), "sealed to a low-order point");
    let long = vec![peer(&["10.66.0.7/32"]); 1000];
    assert!(seal_order(&order(part(1, 1, long)), &owner(1), &channel_pub(&SECRET)).is_err(), "too long");
}

#[test]
fn the_largest_orders_fit() {
    let longest: Cidr = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128".parse().unwrap();
    let peers: Vec<Peer> = (0..10_000u32)
        .map(|n| {
            let mut key = [1; 32];
            key[..4].copy_from_slice(&n.to_be_bytes());
            Peer { peer: Key32(key), allowed_ips: vec![longest; ALLOWED_IPS_LIMIT] }
        })
        .collect();
    let most = Order { seq: u64::MAX, ..order(Operation::Add(peers[0].clone())) };
    assert_eq!(opened(&sealed(&most)), Ok(most));
    let parts = split(&peers).unwrap();
    assert!(parts.len() <= PARTS_LIMIT as usize, "{} parts", parts.len());
    for part in [parts[0].clone(), parts[parts.len() - 1].clone()] {
        let fullest = Order { seq: u64::MAX, ..order(Operation::Sync(part)) };
        assert_eq!(opened(&sealed(&fullest)), Ok(fullest));
    }
}
