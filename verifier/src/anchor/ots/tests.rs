use super::*;

const CALENDAR: &str = "http://a.example/c";

fn request() -> OtsFile {
    OtsFile::request(Sha256([7; 32]), [9; 16], CALENDAR).unwrap()
}

fn commitment() -> Vec<u8> {
    Sha256::of_parts(&[&[7; 32], &[9; 16]]).0.to_vec()
}

/// An answer: prepend, hash, and a block of this height.
fn answer(height: u64) -> Vec<u8> {
    let mut out = vec![PREPEND, 2, 0xaa, 0xbb, SHA256];
    Attestation::Bitcoin(height).write(&mut out);
    out
}

#[test]
fn a_request() {
    let bytes = request().to_bytes();
    assert_eq!(bytes.len(), 113);
    assert_eq!(OtsFile::parse(&bytes).unwrap(), request());
    assert_eq!(request().pending(), [(commitment(), CALENDAR)]);
    for bad in ["", "http://a b", "http://a\x1b", &"a".repeat(1001)] {
        assert!(OtsFile::request(Sha256([7; 32]), [9; 16], bad).is_err(), "{bad} was taken");
    }
}

#[test]
fn an_answer_takes_the_promises_place() {
    let mut file = request();
    assert!(file.add(&[0; 32], &answer(9)).is_err());
    file.add(&commitment(), &answer(840_000)).unwrap();
    assert_eq!(OtsFile::parse(&file.to_bytes()).unwrap(), file);
    let root = Sha256::of_parts(&[&[0xaa, 0xbb], &commitment()]).0.to_vec();
    assert_eq!(file.attestations(), [Attested { message: Some(root), by: &Attestation::Bitcoin(840_000) }]);
    assert_eq!(file.pending(), []);
    assert!(file.add(&commitment(), &answer(9)).is_err(), "nothing waits");
    let mut other = request();
    for bad in [&b""[..], &answer(9)[..8], &[&answer(9)[..], &[0]].concat(), &[0xf0, 0]] {
        assert!(other.add(&commitment(), bad).is_err(), "{bad:02x?} was taken");
    }
    assert_eq!(other, request());
}

/// Branches, and operations that are kept without being computed.
#[test]
fn branches() {
    let mut stamp = vec![FORK];
    Attestation::Other([1; 8], vec![1, 2, 3]).write(&mut stamp);
    stamp.extend([FORK, 0x03]);
    Attestation::Bitcoin(5).write(&mut stamp);
    stamp.extend([FORK, PREPEND, 1, 8]);
    Attestation::Pending(CALENDAR.into()).write(&mut stamp);
    stamp.push(SHA256);
    Attestation::Bitcoin(300).write(&mut stamp);
    let bytes = [&MAGIC[..], &[1, SHA256], &[7; 32], &stamp].concat();
    let file = OtsFile::parse(&bytes).unwrap();
    assert_eq!(file.to_bytes(), bytes);
    let found: Vec<_> = file.attestations().into_iter().map(|a| (a.message, a.by.clone())).collect();
    let expected = [
        (Some(vec![7; 32]), Attestation::Other([1; 8], vec![1, 2, 3])),
        (None, Attestation::Bitcoin(5)),
        (Some([&[8][..], &[7; 32]].concat()), Attestation::Pending(CALENDAR.into())),
        (Some(Sha256::of(&[7; 32]).0.to_vec()), Attestation::Bitcoin(300)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn cut_off_spoilt_and_too_much() {
    let bytes = request().to_bytes();
    for length in 0..bytes.len() {
        assert!(OtsFile::parse(&bytes[..length]).is_err(), "{length} bytes were taken");
    }
    assert!(OtsFile::parse(&[&bytes[..], &[0]].concat()).is_err());
    let behind = |stamp: &[u8]| OtsFile::parse(&[&MAGIC[..], &[1, SHA256], &[7; 32], stamp].concat());
    let mut last = Vec::new();
    Attestation::Bitcoin(1).write(&mut last);
    let then = |bytes: &[u8]| behind(&[bytes, &last].concat());
    assert!(then(&[SHA256; 255]).is_ok());
    assert!(then(&[SHA256; 256]).is_err(), "too deep");
    let fork = [&[FORK][..], &last].concat();
    assert!(then(&fork.repeat(512)).is_ok());
    assert!(then(&fork.repeat(513)).is_err(), "too many branches");
    let long = [&[APPEND, 0x80, 0x20][..], &[1; 4096]].concat();
    assert!(then(&long).is_err(), "too long");
    assert!(behind(&vec![SHA256; OTS_LIMIT]).is_err());
    for bad in [&[APPEND, 0][..], &[0x09], &[0xfe], &[FORK, FORK], &[APPEND, 0x81, 0, 1]] {
        assert!(then(bad).is_err(), "{bad:02x?} was taken");
    }
    let bitcoin = |payload: &[u8]| behind(&[&[0][..], &BITCOIN, payload].concat());
    assert!(bitcoin(&[1, 5]).is_ok());
    for bad in [&[0][..], &[2, 5, 0], &[2, 0x85, 0], &[1, 0x85]] {
        assert!(bitcoin(bad).is_err(), "{bad:02x?} was taken");
    }
    let pending = |payload: &[u8]| behind(&[&[0][..], &PENDING, payload].concat());
    assert!(pending(&[2, 1, b'a']).is_ok());
    for bad in [&[1, 0][..], &[2, 1, b'\n'], &[3, 1, b'a', b'b'], &[2, 2, b'a']] {
        assert!(pending(bad).is_err(), "{bad:02x?} was taken");
    }
}
