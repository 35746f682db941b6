use super::*;
use crate::note::sign;
use crate::vkey::Kind;
use ed25519_dalek::SigningKey;

const LOG: &str = "log.example/vitrine";
const WITNESS: &str = "witness.example/w1";
const NOW: u64 = 1_763_600_000;

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn log_key(seed: u8) -> NoteKey {
    NoteKey::new(LOG, secret(seed).verifying_key()).unwrap()
}

fn witness_key() -> NoteKey {
    NoteKey::of_kind(Kind::Cosignature, WITNESS, secret(9).verifying_key()).unwrap()
}

fn leaves(size: u64) -> Vec<Sha256> {
    (0..size).map(|n| merkle::leaf(&n.to_be_bytes())).collect()
}

fn root(size: u64) -> Sha256 {
    merkle::root(&leaves(size)).unwrap_or_else(merkle::root_of_nothing)
}

fn known(size: u64) -> Known {
    Known { size, root: root(size) }
}

fn text(size: u64, root: Sha256) -> String {
    format!("{LOG}\n{size}\n{}\n", STANDARD.encode(root.0))
}

fn signed(text: &str, seed: u8) -> String {
    format!("{text}\n{}", sign(text, LOG, &secret(seed), None).unwrap())
}

fn proof(old: u64, new: u64) -> Vec<Sha256> {
    let all = leaves(new);
    let (mut edge, mut tiles) = (crate::tile::Edge::default(), std::collections::BTreeMap::new());
    for leaf in all {
        edge.push(leaf, |tile, hashes| _ = tiles.insert(tile, hashes.to_vec()));
    }
    tiles.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
    let fetch = |tile| Ok::<_, std::convert::Infallible>(tiles[&tile].clone());
    crate::tile::Tree::new(new, fetch).consistency(old, new).unwrap()
}

fn request(old: u64, new: u64) -> AddCheckpoint {
    with(old, &proof(old, new), &signed(&text(new, root(new)), 1))
}

fn with(old: u64, proof: &[Sha256], note: &str) -> AddCheckpoint {
    AddCheckpoint::parse(to_text(old, proof, note).as_bytes()).unwrap()
}

#[test]
fn growth_is_cosigned() {
    let keys = [log_key(1)];
    let sizes = [0, 1, 2, 5, 256, 300, 1025];
    for (n, &old) in sizes.iter().enumerate() {
        for &new in &sizes[n..] {
            assert_eq!(judge(Some(&known(old)), &request(old, new), &keys), Ok(()), "{old} to {new}");
        }
    }
    assert_eq!(judge(None, &request(0, 300), &keys), Ok(()));
    assert_eq!(judge(None, &request(0, 0), &keys), Ok(()));
    let rotated = with(5, &proof(5, 9), &signed(&text(9, root(9)), 2));
    assert_eq!(judge(Some(&known(5)), &rotated, &[log_key(1), log_key(2)]), Ok(()));
}

#[test]
fn refusals() {
    let keys = [log_key(1)];
    let at5 = known(5);
    let refused = |known: Option<&Known>, request: &AddCheckpoint| judge(known, request, &keys).unwrap_err();
    let grown = request(5, 9);
    assert_eq!(judge(Some(&at5), &grown, &[]), Err(Refusal::UnknownOrigin));
    let other_name = NoteKey::new("log.example/other", secret(1).verifying_key()).unwrap();
    let as_witness = NoteKey::of_kind(Kind::Cosignature, LOG, secret(1).verifying_key()).unwrap();
    assert_eq!(judge(Some(&at5), &grown, &[other_name, as_witness]), Err(Refusal::UnknownOrigin));
    assert!(matches!(judge(Some(&at5), &grown, &[log_key(2)]), Err(Refusal::NotSigned(_))));
    let bent = signed(&text(9, root(9)), 1).replacen("\n9\n", "\n10\n", 1);
    assert!(matches!(refused(Some(&at5), &with(5, &proof(5, 9), &bent)), Refusal::NotSigned(_)));
    let shrunk = with(5, &[], &signed(&text(4, root(4)), 1));
    assert_eq!(refused(Some(&at5), &shrunk), Refusal::OldTooLarge);
    for old in [0, 4, 6, 9] {
        assert_eq!(refused(Some(&at5), &request(old, 9)), Refusal::Conflict { size: 5 }, "{old}");
    }
    assert_eq!(refused(None, &grown), Refusal::Conflict { size: 0 });
    let fork = with(5, &[], &signed(&text(5, root(6)), 1));
    assert_eq!(refused(Some(&at5), &fork), Refusal::Conflict { size: 5 });
    let empty = with(0, &[], &signed(&text(0, root(1)), 1));
    assert_eq!(refused(None, &empty), Refusal::BadProof);
    let mut longer = grown.clone();
    longer.proof.push(Sha256::ZERO);
    let mut none = grown.clone();
    none.proof.clear();
    let other_root = with(5, &proof(5, 9), &signed(&text(9, root(8)), 1));
    for bad in [longer, none, other_root] {
        assert_eq!(refused(Some(&at5), &bad), Refusal::BadProof);
    }
    for (old, size) in [(0, 9), (5, 5)] {
        let proven_too_much = with(old, &[Sha256::ZERO], &signed(&text(size, root(size)), 1));
        assert_eq!(refused(Some(&known(old)), &proven_too_much), Refusal::BadProof);
    }
}

/// Who comes first: each request has all later faults, too.
#[test]
fn order_of_refusals() {
    let at5 = known(5);
    let unsigned = with(9, &[Sha256::ZERO], &signed(&text(4, root(3)), 2));
    let statuses = |keys: &[NoteKey], request: &AddCheckpoint| judge(Some(&at5), request, keys).unwrap_err().status();
    assert_eq!(statuses(&[], &unsigned), 404);
    assert_eq!(statuses(&[log_key(1)], &unsigned), 403);
    assert_eq!(statuses(&[log_key(2)], &unsigned), 400);
    let elsewhere = with(3, &[Sha256::ZERO], &signed(&text(4, root(3)), 2));
    assert_eq!(statuses(&[log_key(2)], &elsewhere), 409);
    let unproven = with(5, &[Sha256::ZERO], &signed(&text(9, root(3)), 2));
    assert_eq!(statuses(&[log_key(2)], &unproven), 422);
}

#[test]
fn what_is_written_is_read_back() {
    let note = signed(&text(300, root(300)), 1);
    let hashes = proof(5, 300);
    let read = with(5, &hashes, &note);
    assert_eq!((read.old, &read.proof, read.signed.as_str()), (5, &hashes, note.as_str()));
    assert_eq!((read.checkpoint.size, read.checkpoint.root), (300, root(300)));
}

#[test]
fn malformed_requests() {
    let note = signed(&text(9, root(9)), 1);
    let good = to_text(5, &proof(5, 9), &note);
    assert!(AddCheckpoint::parse(good.as_bytes()).is_ok());
    let line = STANDARD.encode([0; 32]) + "\n";
    assert!(AddCheckpoint::parse(format!("old 5\n{}\n{note}", line.repeat(63)).as_bytes()).is_ok());
    for bad in [
        String::new(),
        note.clone(),
        good.replace("old 5", "old 05"),
        good.replace("old 5", "old +5"),
        good.replace("old 5", "old -5"),
        good.replace("old 5", "old  5"),
        good.replace("old 5", "old"),
        good.replace("old 5", "old 18446744073709551616"),
        good.replace("old 5\n", ""),
        good.replace("old 5\n", "old 5\nold 5\n"),
        good.replace("old 5\n", "old 5\nAAAA\n"),
        good.replace("old 5\n", "old 5\n\n"),
        format!("old 5\n{}\n{note}", line.repeat(64)),
        good.replacen("\n\n", "\n", 1),
        good.replace('\n', "\r\n"),
        good.trim_end().into(),
        format!("{good}\n"),
        format!("{good}{}", "x".repeat(BODY_LIMIT)),
        good.replace(&format!("{LOG}\n9\n"), &format!("{LOG}\n9\nmore\n")),
    ] {
        assert!(AddCheckpoint::parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
    }
    assert!(AddCheckpoint::parse(b"old 5\n\n\xff").is_err());
}

#[test]
fn sizes() {
    for size in [0, 5, u64::MAX] {
        assert_eq!(parse_size(size_text(size).as_bytes()), Some(size));
    }
    for bad in ["", "\n", "5", "05\n", "+5\n", "5\n\n", " 5\n", "18446744073709551616\n", "<html>"] {
        assert_eq!(parse_size(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(parse_size(&[b'1'; 4096]), None);
}

#[test]
fn cosignatures_in_answers() {
    let (text, other) = (text(9, root(9)), text(8, root(8)));
    let line = |text: &str, name: &str, seed, time| sign(text, name, &secret(seed), time).unwrap();
    let good = line(&text, WITNESS, 9, Some(NOW));
    let stranger = line(&text, "witness.example/w2", 8, Some(NOW));
    let found = |answer: &str| cosignature(answer.as_bytes(), &text, &witness_key());
    let expected = CosignatureLine { line: good.clone(), time: NOW };
    for answer in [good.clone(), format!("{stranger}{good}"), format!("{good}{stranger}"), format!("{good}{good}")] {
        assert_eq!(found(&answer).as_ref(), Ok(&expected));
    }
    let wrong_text = line(&other, WITNESS, 9, Some(NOW));
    for bad in [
        String::new(),
        stranger,
        line(&text, WITNESS, 8, Some(NOW)),
        wrong_text.clone(),
        format!("{good}{wrong_text}"),
        line(&text, WITNESS, 9, None),
        good.trim_end().into(),
        format!("{good}\n"),
        format!("\n{good}"),
        format!("x\n\n{good}"),
        format!("{good}{}", "x".repeat(NOTE_LIMIT)),
    ] {
        assert!(found(&bad).is_err(), "{bad:?} was taken");
    }
    assert!(cosignature(good.as_bytes(), &text, &log_key(9)).is_err());
    assert!(cosignature(b"\xff", &text, &witness_key()).is_err());
}

#[test]
fn only_the_logs_own_signature_is_sent() {
    let text = text(9, root(9));
    let own = signed(&text, 1);
    let cosigned = format!("{own}{}", sign(&text, WITNESS, &secret(9), Some(NOW)).unwrap());
    assert_eq!(by_log_alone(&cosigned).as_deref(), Ok(own.as_str()));
    let rotated = format!("{cosigned}{}", sign(&text, LOG, &secret(2), None).unwrap());
    assert!(by_log_alone(&rotated).unwrap().starts_with(&own) && by_log_alone(&rotated).unwrap().len() > own.len());
    let unsigned = format!("{text}\n{}", sign(&text, WITNESS, &secret(9), Some(NOW)).unwrap());
    assert!(by_log_alone(&unsigned).is_err() && by_log_alone(&text).is_err());
}
