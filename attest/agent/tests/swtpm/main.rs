//! The real program against a real TPM in software: the test plays init on fd 3 and the verifier over HTTP,
//! and other people's tools judge.
//!
//! Needs swtpm, swtpm-tools and tpm2-tools. Without swtpm these tests pass with a message at home, and fail where
//! the variable CI is set.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // what the shipped program must not, a test may

mod agent;
mod machine;

use agent::{Agent, Init};
use machine::{tool, Machine};
use serde_json::{json, Value};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use vitrine_attest::boot::{BootFacts, BootKeys, BootRecord};
use vitrine_attest::credential::{make_credential, proof};
use vitrine_attest::digest::{hex, Key32};
use vitrine_attest::evidence::{
    transcript, ActivationRequest, ActivationResponse, Binding, Evidence, EvidenceRequest, ACTIVATE_PATH,
    EVIDENCE_PATH, ORDER_PATH, VERSION,
};
use vitrine_attest::order::ORDER_LIMIT;
use vitrine_attest::pcr::{extend, Pcr};
use vitrine_attest::rotation::RotatedKey;
use vitrine_attest::tpm::{Attest, KeyKind, Public, Signature};
use vitrine_attest::Sha256;

const KEYS: BootKeys = BootKeys {
    wg_pub: Key32([1; 32]),
    channel_pub: Key32([2; 32]),
    sign_pub: Key32([3; 32]),
    tls_spki: Sha256([4; 32]),
};
const IMAGE: &str = "exit 1 00";

fn hello() -> Value {
    json!({
        "config_digest": Sha256::of(b"config"), "keys": KEYS, "image_id": IMAGE,
        "facts": BootFacts::sealed(), "port": machine::free_ports(), "firmware_log": "AQIDBA==",
    })
}

fn again(mut hello: Value) -> Value {
    hello["measured_already"] = true.into();
    hello["port"] = machine::free_ports().into();
    hello
}

/// M1 and M2, both as on the wire.
fn ask(agent: &Agent, nonce: &[u8]) -> (String, String, Evidence) {
    let m1 = serde_json::to_string(&EvidenceRequest { v: VERSION, nonce: Sha256::of(nonce) }).unwrap();
    let (status, m2) = agent.post(EVIDENCE_PATH, m1.as_bytes());
    assert_eq!(status, 200, "{m2}");
    let evidence = serde_json::from_str(&m2).unwrap();
    (m1, m2, evidence)
}

/// What every good evidence of [`hello`] must hold; the checks are the verifier's, in short.
fn check(evidence: &Evidence, nonce: &[u8]) {
    let ak = Public::parse(&evidence.ak_pub).unwrap();
    let attest = Attest::parse(&evidence.attest).unwrap();
    Signature::parse(&evidence.signature).unwrap().verify(&ak, &evidence.attest).unwrap();
    let (nonce, config_digest) = (Sha256::of(nonce), Sha256::of(b"config"));
    let rotated = &evidence.rotated;
    let challenge = evidence.challenge(&nonce).expect("a place that cannot be");
    let binding = Binding { challenge, keys: &KEYS, rotated, config_digest: &config_digest, image_id: IMAGE };
    assert_eq!(attest.extra_data, binding.extra_data().0);
    assert_eq!(
        Some(attest.qualified_signer.clone()),
        ak.qualified_name(),
        "the AK is no primary of the endorsement hierarchy"
    );
    assert_eq!(evidence.nonce, nonce);
    assert_eq!((&evidence.keys, evidence.image_id.as_str()), (&KEYS, IMAGE));
    assert_eq!(evidence.firmware_log, [1, 2, 3, 4]);
    let record = BootRecord { config_digest, keys: KEYS, ak_name: ak.name().unwrap(), facts: BootFacts::sealed() };
    assert_eq!(evidence.runtime_log, record.events().unwrap());
    // nothing else was measured into this TPM: all quoted registers but 15 are zero
    let mut values = [Sha256::ZERO; Pcr::QUOTED.len()];
    values[7] = evidence.runtime_log.iter().fold(Sha256::ZERO, |value, event| extend(value, event.digest));
    let parts: Vec<&[u8]> = values.iter().map(|value| value.0.as_slice()).collect();
    let quote = attest.quote.unwrap();
    assert_eq!(quote.digest, Sha256::of_parts(&parts).0);
    let [selection] = quote.selections.as_slice() else { panic!("{:?}", quote.selections) };
    assert_eq!((selection.registers().as_str(), quote.trailing), ("4,7,9,11,12,13,14,15", 0));
}

fn activation(evidence: &Evidence, m1: &str, m2: &str, secret: &[u8; 32]) -> String {
    let ak_name = Public::parse(&evidence.ak_pub).unwrap().name().unwrap();
    let made = make_credential(&Public::parse(&evidence.ek_pub).unwrap(), &ak_name, secret).unwrap();
    let transcript = transcript(m1.as_bytes(), m2.as_bytes());
    let m3 = ActivationRequest { v: VERSION, transcript, credential: made.id_object, secret: made.encrypted_secret };
    serde_json::to_string(&m3).unwrap()
}

fn activate(agent: &Agent, evidence: &Evidence, m1: &str, m2: &str) {
    let m3 = activation(evidence, m1, m2, &[9; 32]);
    let (status, m4) = agent.post(ACTIVATE_PATH, m3.as_bytes());
    assert_eq!(status, 200, "{m4}");
    let m4: ActivationResponse = serde_json::from_str(&m4).unwrap();
    assert_eq!(m4.proof, proof(&[9; 32], m3.as_bytes()));
}

#[test]
fn evidence_and_activation_with_an_rsa_ek() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let (m1, m2, first) = ask(&agent, b"one");
    let (_, _, second) = ask(&agent, b"two");
    check(&first, b"one");
    check(&second, b"two");
    assert_ne!(first.attest, second.attest);
    assert_eq!(first.ak_pub, second.ak_pub);
    assert!(matches!(Public::parse(&first.ek_pub).unwrap().kind, KeyKind::Rsa { .. }));
    assert!(first.ek_cert.starts_with(&[0x30, 0x82]), "no certificate from NV");
    activate(&agent, &first, &m1, &m2);
}

/// swtpm's tools make no certificate for a P-256 EK, so the test puts some bytes where one would be.
#[test]
fn an_ecc_ek_is_preferred() {
    let Some(machine) = Machine::start() else { return };
    machine.put_nv(0x01c0_000a, b"not read by the agent, only by verifiers");
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let (m1, m2, evidence) = ask(&agent, b"one");
    check(&evidence, b"one");
    assert_eq!(evidence.ek_cert, b"not read by the agent, only by verifiers");
    assert!(matches!(Public::parse(&evidence.ek_pub).unwrap().kind, KeyKind::Ecc(_)));
    activate(&agent, &evidence, &m1, &m2);
}

#[test]
fn a_tpm_without_certificates_quotes_all_the_same() {
    let Some(machine) = Machine::start() else { return };
    machine.clear_nv(0x01c0_0002);
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let (m1, m2, evidence) = ask(&agent, b"one");
    check(&evidence, b"one");
    assert_eq!(evidence.ek_cert, b"");
    activate(&agent, &evidence, &m1, &m2);
}

/// tpm2-tools accept the quote, and refuse its altered twins.
#[test]
fn tpm2_checkquote_agrees() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let (_, _, evidence) = ask(&agent, b"one");
    let extra = Attest::parse(&evidence.attest).unwrap().extra_data.to_vec();
    let accepted = |attest: &[u8], extra: &[u8]| {
        let sized = [&u16::try_from(evidence.ak_pub.len()).unwrap().to_be_bytes(), evidence.ak_pub.as_slice()].concat();
        let (key, message) = (machine.file("ak.pub", &sized), machine.file("attest", attest));
        let signature = machine.file("signature", &evidence.signature);
        tool("tpm2_checkquote", &["-u", &key, "-m", &message, "-s", &signature, "-q", &hex(extra)])
    };
    accepted(&evidence.attest, &extra).unwrap();
    let mut altered = evidence.attest.clone();
    *altered.last_mut().unwrap() ^= 1;
    accepted(&altered, &extra).unwrap_err();
    accepted(&evidence.attest, &[0; 32]).unwrap_err();
}

/// However many bad credentials strangers send, it is not the TPM that failed.
#[test]
fn bad_credentials_are_refused_and_the_service_goes_on() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let (m1, m2, evidence) = ask(&agent, b"one");
    let good: Value = serde_json::from_str(&activation(&evidence, &m1, &m2, &[9; 32])).unwrap();
    let mut other = evidence.clone();
    *other.ak_pub.last_mut().unwrap() ^= 1;
    let for_another_ak: Value = serde_json::from_str(&activation(&other, &m1, &m2, &[9; 32])).unwrap();
    let mut other = evidence.clone();
    *other.ek_pub.iter_mut().rev().nth(100).unwrap() ^= 1;
    let for_another_tpm: Value = serde_json::from_str(&activation(&other, &m1, &m2, &[9; 32])).unwrap();
    let with = |field: &str, value: &str| {
        let mut m3 = good.clone();
        m3[field] = value.into();
        m3
    };
    let table = [
        ("for another AK", for_another_ak),
        ("for another TPM", for_another_tpm.clone()),
        ("for another TPM, again", for_another_tpm.clone()),
        ("for another TPM, a third time", for_another_tpm),
        ("empty credential", with("credential", "")),
        ("size without bytes", with("credential", "AAA=")),
        ("credential of zeros", with("credential", "ACQAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        ("empty secret", with("secret", "AAA=")),
        ("secret of another size", with("secret", "AAQBAgME")),
        ("secret with a wrong size", with("secret", "AAkBAgME")),
    ];
    for (defect, m3) in table {
        let (status, body) = agent.post(ACTIVATE_PATH, m3.to_string().as_bytes());
        assert_eq!((status, body.as_str()), (400, "{\"code\":\"credential\"}"), "{defect}");
    }
    activate(&agent, &evidence, &m1, &m2);
}

#[test]
fn pcr_15_is_measured_once_per_boot() {
    let Some(machine) = Machine::start() else { return };
    let first = hello();
    let mut agent = Agent::measured(&machine, &first);
    agent.serve();
    let (_, _, before) = ask(&agent, b"one");
    drop(agent);

    let (_agent, word) = Agent::start(&machine, &hello());
    assert_eq!(word, json!({"failed": "pcr15-not-zero"}));
    let mut other = again(first.clone());
    other["keys"]["wg_pub"] = json!(Key32([7; 32]));
    let (_agent, word) = Agent::start(&machine, &other);
    assert_eq!(word, json!({"failed": "pcr15-differs"}));

    let mut agent = Agent::measured(&machine, &again(first));
    agent.serve();
    let (_, _, after) = ask(&agent, b"two");
    check(&after, b"two");
    assert_eq!((before.ak_pub, before.runtime_log), (after.ak_pub, after.runtime_log));
}

#[test]
fn without_a_tpm_there_is_no_service() {
    let Some(machine) = Machine::start() else { return };
    machine.stop();
    let (mut agent, word) = Agent::start(&machine, &hello());
    assert_eq!(word, json!({"failed": "tpm-open"}));
    assert_eq!(agent.exit_code(), 1);
}

#[test]
fn a_restart_that_never_was_measured_is_refused() {
    let Some(machine) = Machine::start() else { return };
    let (mut agent, word) = Agent::start(&machine, &again(hello()));
    assert_eq!(word, json!({"failed": "pcr15-differs"}));
    assert_eq!(agent.exit_code(), 1);
}

#[test]
fn a_tpm_that_dies_ends_the_service() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    ask(&agent, b"one");
    machine.stop();
    let m1 = serde_json::to_string(&EvidenceRequest { v: VERSION, nonce: Sha256::ZERO }).unwrap();
    for _ in 0..3 {
        assert_eq!(agent.post(EVIDENCE_PATH, m1.as_bytes()), (503, "{\"code\":\"tpm\"}".into()));
    }
    assert_eq!(agent.exit_code(), 1);
}

#[test]
fn a_tpm_that_hangs_gives_busy_and_may_come_back() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    machine.signal("STOP");
    let start = Instant::now();
    let m1 = serde_json::to_string(&EvidenceRequest { v: VERSION, nonce: Sha256::ZERO }).unwrap();
    assert_eq!(agent.post(EVIDENCE_PATH, m1.as_bytes()), (503, "{\"code\":\"busy\"}".into()));
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    machine.signal("CONT");
    check(&ask(&agent, b"one").2, b"one");
}

#[test]
fn many_at_once_each_get_their_own_nonce() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let agent = &agent;
    std::thread::scope(|scope| {
        for i in 0..60_u8 {
            scope.spawn(move || check(&ask(agent, &[i]).2, &[i]));
        }
    });
}

/// A hundred while the TPM does not move: whoever has a connection by then shares the next quote, each with a place of its
/// own. Those who come in after that share the one behind it.
#[test]
fn a_hundred_at_once_share_quotes() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    machine.signal("STOP");
    let agent = &agent;
    let all: Vec<Evidence> = std::thread::scope(|scope| {
        let ask = |i: u8| {
            scope.spawn(move || {
                let evidence = ask(agent, &[i]).2;
                check(&evidence, &[i]);
                evidence
            })
        };
        let clients: Vec<_> = (0..100).map(ask).collect();
        std::thread::sleep(Duration::from_secs(1));
        machine.signal("CONT");
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let quotes: HashSet<&[u8]> = all.iter().map(|evidence| evidence.attest.as_slice()).collect();
    let largest = all.iter().filter_map(|evidence| Some(evidence.batch.as_ref()?.size)).max();
    println!("100 clients, {} quotes, at most {largest:?} under one", quotes.len());
    assert!(quotes.len() < 100 && largest > Some(1), "nobody shares a quote");
}

#[test]
fn orders_and_the_end_of_init() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    agent.serve();
    let answers = [
        (json!({"answer": "c2VjcmV0"}), 200, "secret"),
        (json!({"refused": "order-unsealed"}), 403, "{\"code\":\"order-unsealed\"}"),
    ];
    for (says, status, body) in answers {
        let init = agent.init();
        let answered = std::thread::spawn(move || {
            let mut init: Init = init;
            assert_eq!(init.read(), json!({"order": "c2VhbGVk"}));
            init.write(&says);
        });
        assert_eq!(agent.post(ORDER_PATH, b"sealed"), (status, body.to_owned()));
        answered.join().unwrap();
    }
    assert_eq!(agent.post(ORDER_PATH, &vec![0; ORDER_LIMIT + 1]).0, 413);
    agent.init().hang_up();
    assert_eq!(agent.exit_code(), 1);
}

/// Every later quote binds the keys that init has told last, also after a restart of the agent.
#[test]
fn rotated_keys_are_quoted() {
    let Some(machine) = Machine::start() else { return };
    let first = hello();
    let mut agent = Agent::measured(&machine, &first);
    let key = |generation: u32| RotatedKey { generation, wg_pub: Key32([7; 32]), signature: [9; 64] };
    agent.init().write(&json!({"rotated": [key(1)]}));
    agent.serve();
    let (_, _, evidence) = ask(&agent, b"one");
    assert_eq!(evidence.rotated, [key(1)]);
    check(&evidence, b"one");
    agent.init().write(&json!({"rotated": [key(1), key(2)]}));
    let told = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        ask(&agent, b"two").2.rotated == [key(1), key(2)]
    });
    assert!(told, "the agent does not tell of the new key");
    check(&ask(&agent, b"two").2, b"two");
    drop(agent);
    let mut restarted = again(first);
    restarted["rotated"] = json!([key(2)]);
    let mut agent = Agent::measured(&machine, &restarted);
    agent.serve();
    let (_, _, evidence) = ask(&agent, b"three");
    assert_eq!(evidence.rotated, [key(2)]);
    check(&evidence, b"three");
}

#[test]
fn before_serve_nobody_is_listening() {
    let Some(machine) = Machine::start() else { return };
    let mut agent = Agent::measured(&machine, &hello());
    assert!(!agent.listens());
    agent.serve();
    assert!(agent.listens());
    agent.init().hang_up();
    assert_eq!(agent.exit_code(), 1);
}

/// Not a test of right or wrong: how many evidences a second one TPM gives, for `make bench`; first swtpm as fast as it is,
/// then as slow as a chip. A client that is alone has each quote for itself: that is what there would be without batches.
/// `cargo test --release -p vitrine-agent --test swtpm -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn evidence_per_second() {
    for pause in [0, 300] {
        let Some(machine) = Machine::start() else { return };
        let mut first_words = hello();
        // a firmware log as long as OVMF's
        first_words["firmware_log"] = "A".repeat(32 << 10).into();
        let machine = machine.slowed(Duration::from_millis(pause));
        let mut agent = Agent::measured(&machine, &first_words);
        agent.serve();
        for clients in [1, 4, 32, 100] {
            let (evidences, quotes) = per_second(&agent, clients, Duration::from_secs(6));
            println!("{pause} ms a command, {clients} clients: {evidences:.1} evidences/s by {quotes:.1} quotes/s");
        }
    }
}

/// Evidences and quotes.
fn per_second(agent: &Agent, clients: u32, time: Duration) -> (f64, f64) {
    let end = Instant::now() + time;
    let (count, quotes) = (AtomicU32::new(0), Mutex::new(HashSet::new()));
    let m1 = serde_json::to_string(&EvidenceRequest { v: VERSION, nonce: Sha256::ZERO }).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while Instant::now() < end {
                    // a busy answer is none
                    let (200, m2) = agent.post(EVIDENCE_PATH, m1.as_bytes()) else { continue };
                    count.fetch_add(1, Ordering::Relaxed);
                    let evidence: Evidence = serde_json::from_str(&m2).unwrap();
                    quotes.lock().unwrap().insert(evidence.attest);
                }
            });
        }
    });
    let seconds = (time + end.elapsed()).as_secs_f64();
    (f64::from(count.into_inner()) / seconds, quotes.into_inner().unwrap().len() as f64 / seconds)
}
