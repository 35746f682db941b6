//! Cosignatures of type 0x06.

use super::*;
use crate::digest::{hex, unhex};
use crate::ml_dsa::SecretKey;
use crate::tlog_policy::{Missing, Policy};
use crate::tlog_proof::{to_text, Proof, PROOF_LIMIT};
use crate::witness::{cosignature, BODY_LIMIT};
use crate::{merkle, Sha256};
use zeroize::Zeroizing;

const LOG: &str = "log.example/vitrine";
const WITNESS: &str = "witness.example/w1";
const TEXT: &str = "log.example/vitrine\n1482\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const TIME: u64 = 1_763_600_000;

fn ed25519(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(Zeroizing::new([seed; 32]))
}

fn witness(name: &str, seed: u8) -> NoteKey {
    NoteKey::of_kind(Kind::MlDsa44, name, secret(seed).public()).unwrap()
}

fn log() -> NoteKey {
    NoteKey::new(LOG, ed25519(1).verifying_key()).unwrap()
}

fn by(name: &str, seed: u8, time: u64) -> String {
    cosign_ml_dsa(TEXT, name, &secret(seed), time, &[0; 32]).unwrap()
}

fn by_log(text: &str) -> String {
    sign(text, LOG, &ed25519(1), None).unwrap()
}

fn note(lines: &[String]) -> Note {
    Note::parse(format!("{TEXT}\n{}", lines.concat()).as_bytes()).unwrap()
}

/// The bytes behind the key id.
fn bytes(line: &str) -> Vec<u8> {
    STANDARD.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap()[4..].to_vec()
}

/// Each field of the structure, put together by hand from the standard's text.
#[test]
fn what_is_signed() {
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    let message = checkpoint.cosigned_message(WITNESS, TIME).unwrap();
    let expected = [
        "737562747265652f76310a00",                 // subtree/v1 \n \0
        "127769746e6573732e6578616d706c652f7731",   // 18 witness.example/w1
        "00000000691e6680",                         // time
        "136c6f672e6578616d706c652f76697472696e65", // 19 log.example/vitrine
        "0000000000000000",                         // start
        "00000000000005ca",                         // end
        &"00".repeat(32),
    ];
    assert_eq!(hex(&message), expected.concat());
    for name in [String::new(), "x".repeat(256)] {
        assert_eq!(checkpoint.cosigned_message(&name, TIME), None);
        assert_eq!(Checkpoint { origin: name, ..checkpoint.clone() }.cosigned_message(WITNESS, TIME), None);
    }
    assert!(checkpoint.cosigned_message(&"x".repeat(255), TIME).is_some());
}

/// The key that another program (the test of a witness by torchwood's author) makes of this seed: the whole of FIPS 204's key
/// generation, and the key id under its name.
#[test]
fn another_programs_key() {
    let seed = unhex("2886adc2b0eabfce67c0472939127998bf886cf256bfee8ba76a253fce1146e0").unwrap();
    let secret = SecretKey::from_seed(Zeroizing::new(seed.try_into().unwrap()));
    let key = NoteKey::of_kind(Kind::MlDsa44, "example.com/mldsa-log", secret.public()).unwrap();
    let text = key.to_string();
    assert!(text.starts_with("example.com/mldsa-log+b5df45c5+BuhtcL97l3dcitjZ8Y9J54gmQ1TWn/BMF0yePKpTzhlFCkN6ouJDf"));
    assert_eq!(NoteKey::of_log(&text).unwrap(), key);
}

/// Seed, text and time give these very bytes, so a change of the structure or of the crate is seen.
#[test]
fn golden() {
    let line = by(WITNESS, 2, TIME);
    assert_eq!(line.len(), 3244 + WITNESS.len() + DASH.len() + 2);
    assert_eq!(hex(&witness(WITNESS, 2).id()), "aff69a9d");
    assert_eq!(
        Sha256::of(line.as_bytes()).to_string(),
        "97a4688a5054470e8a81a13b206c302df888429926523715dacae22c2dca142d"
    );
}

#[test]
fn signed_and_read() {
    let keys = [log(), witness(WITNESS, 2), witness("witness.example/w2", 3)];
    let hedged = cosign_ml_dsa(TEXT, WITNESS, &secret(2), TIME, &[9; 32]).unwrap();
    assert_ne!(hedged, by(WITNESS, 2, TIME));
    let note = note(&[by_log(TEXT), hedged, by(WITNESS, 2, TIME)]);
    let signers = note.signers(&keys).unwrap();
    let expected = [(&keys[0], None), (&keys[1], Some(TIME))].map(|(key, time)| Signer { key, time });
    assert_eq!(signers, expected);
    assert_eq!(note.signers(&keys[2..]).unwrap(), [], "others' lines are left alone");
}

/// Every bit of time, signature and key id: none of them can be turned without the note being refused or the line being nobody's.
#[test]
fn any_bit() {
    let keys = [witness(WITNESS, 2)];
    let line = by(WITNESS, 2, TIME);
    let whole = STANDARD.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
    assert_eq!(whole.len(), 4 + 8 + 2420);
    for bit in 0..whole.len() * 8 {
        let mut bent = whole.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let note = note(&[format!("{DASH}{WITNESS} {}\n", STANDARD.encode(&bent))]);
        match note.signers(&keys) {
            Ok(signers) => assert!(bit < 32 && signers.is_empty(), "bit {bit}"),
            Err(why) => assert!(bit >= 32 && why.contains(WITNESS), "bit {bit}: {why}"),
        }
    }
}

#[test]
fn any_change_of_the_checkpoint() {
    let (keys, line) = ([witness(WITNESS, 2)], by(WITNESS, 2, TIME));
    for text in [
        TEXT.replace("1482", "1483"),
        TEXT.replace("log.example", "log.exampl"),
        TEXT.replace("AAA=", "AAE="),
        TEXT.replace("\nAAAA", "\nBAAA"),
        format!("{TEXT}an extension line\n"),
        "no checkpoint\n".into(),
    ] {
        let note = Note::parse(format!("{text}\n{line}").as_bytes()).unwrap();
        assert!(note.signers(&keys).is_err(), "{text}");
    }
}

/// Wrong length, wrong name, another key, and the form of the other type.
#[test]
fn what_is_no_cosignature() {
    let key = witness(WITNESS, 2);
    let good = bytes(&by(WITNESS, 2, TIME));
    let other_name = bytes(&by("witness.example/w2", 2, TIME)); // the name is signed, too
    let other_key = bytes(&by(WITNESS, 3, TIME));
    let text = cosigned(TIME, TEXT);
    let as_text = [&TIME.to_be_bytes()[..], &secret(2).sign(text.as_bytes(), &[0; 32]).unwrap()].concat();
    let without_time = good[8..].to_vec();
    let short = good[..good.len() - 1].to_vec();
    let long = [&good[..], &[0]].concat();
    for bad in [other_name, other_key, as_text, without_time, short, long, vec![], good[..8].to_vec()] {
        assert!(note(&[line(&key, &bad)]).signers(std::slice::from_ref(&key)).is_err());
    }
    assert!(note(&[line(&key, &good)]).signers(std::slice::from_ref(&key)).is_ok());
}

/// A line of type 0x04 under the same name is another key's: each is judged as what it is, and neither stands for the other.
#[test]
fn both_types_under_one_name() {
    let (old, new) =
        (NoteKey::of_kind(Kind::Cosignature, WITNESS, ed25519(2).verifying_key()).unwrap(), witness(WITNESS, 2));
    let old_line = sign(TEXT, WITNESS, &ed25519(2), Some(TIME)).unwrap();
    let keys = [old.clone(), new.clone()];
    let signers = |lines: &[String]| {
        note(lines).signers(&keys).map(|found| found.into_iter().map(|s| s.key.kind()).collect::<Vec<_>>())
    };
    assert_eq!(signers(&[old_line.clone(), by(WITNESS, 2, TIME)]).unwrap(), [Kind::Cosignature, Kind::MlDsa44]);
    assert_eq!(signers(std::slice::from_ref(&old_line)).unwrap(), [Kind::Cosignature]);
    assert_eq!(signers(&[by(WITNESS, 2, TIME)]).unwrap(), [Kind::MlDsa44]);
    // the signature of one under the id of the other
    assert!(signers(&[line(&new, &bytes(&old_line))]).is_err());
    assert!(signers(&[line(&old, &bytes(&by(WITNESS, 2, TIME)))]).is_err());
    // and no key is of the other's type
    assert!(NoteKey::of_kind(Kind::MlDsa44, WITNESS, ed25519(2).verifying_key()).is_err());
    assert!(NoteKey::of_kind(Kind::Cosignature, WITNESS, secret(2).public()).is_err());
    assert!(NoteKey::of_kind(Kind::Note, LOG, secret(2).public()).is_err());
}

/// Time zero: the witness does not say that it knew no larger tree. It has signed; for a quorum it has not.
#[test]
fn times() {
    let (keys, zero) = ([log(), witness(WITNESS, 2)], by(WITNESS, 2, 0));
    let lines = [by_log(TEXT), zero.clone()];
    assert_eq!(note(&lines).signers(&keys).unwrap()[1], Signer { key: &keys[1], time: None });
    let policy = policy(&keys[1..], 1);
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    assert!(
        matches!(policy.judge(&note(&lines), &checkpoint), Err(Missing::Quorum { signed, .. }) if signed.is_empty())
    );
    assert!(cosignature(zero.as_bytes(), TEXT, &keys[1]).is_err());

    let latest = i64::MAX as u64;
    assert_eq!(note(&[by(WITNESS, 2, latest)]).signers(&keys).unwrap()[0].time, Some(latest));
    assert!(cosign_ml_dsa(TEXT, WITNESS, &secret(2), latest + 1, &[0; 32]).is_err());
    let message = checkpoint.cosigned_message(WITNESS, latest + 1).unwrap();
    let beyond = [&(latest + 1).to_be_bytes()[..], &secret(2).sign(&message, &[0; 32]).unwrap()].concat();
    assert!(note(&[line(&keys[1], &beyond)]).signers(&keys).is_err());
    let old = NoteKey::of_kind(Kind::Cosignature, WITNESS, ed25519(2).verifying_key()).unwrap();
    let beyond = sign(TEXT, WITNESS, &ed25519(2), Some(latest + 1)).unwrap();
    assert!(note(&[beyond]).signers(&[old]).is_err(), "of the older type, too");
}

/// A log, these witnesses, and how many of them there have to be.
fn policy(witnesses: &[NoteKey], least: usize) -> Policy {
    let lines: String = witnesses.iter().enumerate().map(|(n, key)| format!("witness w{n} {key}\n")).collect();
    let names: String = (0..witnesses.len()).map(|n| format!(" w{n}")).collect();
    Policy::parse(format!("log {}\n{lines}group g {least}{names}\nquorum g\n", log()).as_bytes()).unwrap()
}

#[test]
fn a_quorum_of_both_types() {
    let old = NoteKey::of_kind(Kind::Cosignature, "witness.example/w0", ed25519(5).verifying_key()).unwrap();
    let old_line = sign(TEXT, "witness.example/w0", &ed25519(5), Some(TIME + 5)).unwrap();
    let witnesses = [old, witness(WITNESS, 2), witness("witness.example/w2", 3)];
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    let judged = |least, lines: &[String]| {
        policy(&witnesses, least).judge(&note(&[&[by_log(TEXT)], lines].concat()), &checkpoint)
    };
    let (first, second) = (by(WITNESS, 2, TIME), by("witness.example/w2", 3, TIME + 9));
    let met = judged(3, &[old_line.clone(), first.clone(), second.clone()]).unwrap();
    assert_eq!((met.witnesses.len(), met.since, met.by), (3, Some(TIME), Some(TIME + 9)));
    assert!(judged(2, &[old_line.clone(), first.clone()]).is_ok() && judged(2, &[first.clone(), second]).is_ok());
    assert!(matches!(judged(2, &[first.clone(), first.clone()]), Err(Missing::Quorum { .. })), "one counts once");
    assert!(matches!(judged(3, &[old_line, first.clone()]), Err(Missing::Quorum { .. })));
    let bent = first.replacen("AAAA", "AAAB", 1);
    assert!(matches!(judged(1, &[bent]), Err(Missing::Signature(_))));
}

/// Logs sign with Ed25519 here; one key is one witness, whatever its name.
#[test]
fn what_a_policy_refuses() {
    let refused = |text: String| Policy::parse(text.as_bytes()).unwrap_err()[0].text.clone();
    let key = witness(WITNESS, 2);
    let error = refused(format!("log {key}\nquorum none\n"));
    assert!(error.contains("type 0x01 (Ed25519), and this one of type 0x06"), "{error}");
    let twice = refused(format!("witness a {key}\nwitness b {}\nquorum none\n", witness("other", 2)));
    assert!(twice.contains("stands here twice"), "{twice}");
    let text = key.to_string();
    for bad in
        [&text[..text.len() - 4], &format!("{text}AAAA"), &text.replacen("+B", "+A", 1), &text.replacen('w', "v", 1)]
    {
        assert!(Policy::parse(format!("witness a {bad}\nquorum a\n").as_bytes()).is_err(), "{bad}");
    }
    assert!(text.parse::<NoteKey>().is_err(), "it signs no releases");
}

/// Limits: sixteen such witnesses on one checkpoint (the standard's least), a proof with it, a policy of 64, and a witness's answer.
#[test]
fn limits() {
    let name = |n: usize| format!("{n:02}{}", "x".repeat(253));
    let keys: Vec<NoteKey> = (0..16).map(|n| witness(&name(n), n as u8)).collect();
    let leaf = merkle::leaf(b"entry");
    let text = format!("{LOG}\n1\n{}\n", STANDARD.encode(leaf.0));
    let lines: Vec<String> =
        (0..16).map(|n| cosign_ml_dsa(&text, &name(n), &secret(n as u8), TIME, &[0; 32]).unwrap()).collect();
    let note = format!("{text}\n{}{}", by_log(&text), lines.concat());
    assert!(note.len() <= NOTE_LIMIT, "{}", note.len());
    let proof = to_text(None, 0, &[], &note);
    assert!(proof.len() <= PROOF_LIMIT);
    let all: Vec<NoteKey> = keys.iter().cloned().chain([log()]).collect();
    assert_eq!(Proof::parse(proof.as_bytes()).unwrap().check(b"entry", &all).unwrap().len(), 17);
    assert!(lines.concat().len() <= BODY_LIMIT);
    assert_eq!(cosignature(lines.concat().as_bytes(), &text, &keys[15]).unwrap().time, TIME);
    let many: Vec<NoteKey> = (0..64).map(|n| witness(&name(n), n as u8)).collect();
    assert!(policy(&many, 64).wants_witnesses());
    assert!(format!("{}\n", many[0]).len() <= crate::vkey::TEXT_LIMIT);
}
