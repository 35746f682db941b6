//! Epochs, their books, and customers' files with one thing wrong.

use super::*;
use crate::predicate::{sign, verify};
use ed25519_dalek::SigningKey;

fn server(n: u64) -> Record {
    let digest = Sha256::of(&n.to_be_bytes());
    Record::new(7, digest, Fingerprint(digest), &format!("customer {n}")).unwrap()
}

/// Salts that a test can name.
fn salts() -> impl FnMut() -> Result<Sha256> {
    let mut count = 0u64;
    move || {
        count += 1;
        Ok(Sha256::of(format!("salt {count}").as_bytes()))
    }
}

fn book(servers: u64, capacity: u64) -> Book {
    Book::make(7, capacity, (0..servers).map(server).collect(), salts()).unwrap()
}

pub fn sample(root: Sha256, capacity: u64) -> (Vec<Subject>, FleetEpoch) {
    let [from, until] = ["2026-11-01", "2026-11-30"].map(|day| day.parse().unwrap());
    (vec![Subject::new("fleet-epoch-7", root)], FleetEpoch { epoch: 7, root, capacity, from, until })
}

fn statement(book: &Book, capacity: u64) -> (Statement<FleetEpoch>, Sha256) {
    let key = SigningKey::from_bytes(&[1; 32]);
    let (subject, predicate) = sample(book.root(), capacity);
    let envelope = sign(subject, predicate, &key).unwrap();
    (verify(&envelope, &key.verifying_key()).unwrap(), Sha256::of(&envelope.to_json().unwrap()))
}

fn files(book: &Book, digest: Sha256) -> Vec<RecordFile> {
    (0..book.entries().len()).map(|at| book.file(at, digest).unwrap()).collect()
}

#[test]
fn every_customer_finds_the_own_record_in_trees_of_all_sizes() {
    for capacity in [2, 4, 8, 64, 1024] {
        let book = book(capacity.min(5), capacity);
        let leaves: Vec<Sha256> = book.entries().iter().map(|e| e.record.leaf(&e.salt).unwrap()).collect();
        assert_eq!(merkle::root(&leaves), Some(book.root()), "not the tree of the standard");
        let (statement, digest) = statement(&book, capacity);
        let real: Vec<RecordFile> =
            files(&book, digest).into_iter().filter(|file| file.record.server.is_some()).collect();
        assert_eq!(real.len() as u64, capacity.min(5));
        for file in &real {
            assert_eq!(merkle::path(&leaves, file.index as usize), Some(file.path.clone()));
            let read = RecordFile::from_json(&to_canonical_json(file).unwrap()).unwrap();
            assert_eq!(check_record(&statement, &digest, &read).unwrap(), &file.record);
        }
        assert_eq!(book.file(capacity as usize, digest), None);
        let mut entries = book.entries().to_vec();
        entries.reverse();
        assert_eq!(Book::of(entries).unwrap(), book, "a book that was kept is another one");
        assert!(Book::of(book.entries()[1..].to_vec()).is_err());
    }
}

#[test]
fn nothing_that_is_published_depends_on_the_number_of_servers() {
    let lengths = |servers| {
        let book = book(servers, 64);
        let (statement, digest) = statement(&book, 64);
        let of_file = |file: &RecordFile| to_canonical_json(file).unwrap().len() - file.index.to_string().len();
        let records: Vec<usize> =
            book.entries().iter().map(|entry| to_canonical_json(&entry.record).unwrap().len()).collect();
        assert!(records.iter().all(|length| *length == RECORD_LENGTH), "{records:?}");
        let of_file: std::collections::BTreeSet<usize> = files(&book, digest).iter().map(of_file).collect();
        assert_eq!(of_file.len(), 1, "files have different lengths");
        to_canonical_json(&statement).unwrap().len()
    };
    assert_eq!(lengths(0), lengths(64));
    // neither does the place tell who is real, or who came first
    let places: Vec<usize> = (0..64).filter(|at| book(8, 64).entries()[*at].record.server.is_some()).collect();
    assert_eq!(places.len(), 8);
    assert!(places.iter().any(|at| *at >= 32) && places.iter().any(|at| *at < 32), "{places:?}");
    let customers: Vec<String> = book(8, 64).entries().iter().map(|e| e.record.customer.clone()).collect();
    assert!(!customers.iter().filter(|name| !name.is_empty()).is_sorted(), "they stand as they came");
}

#[test]
fn a_file_with_one_thing_wrong() {
    let book = book(3, 8);
    let (statement, digest) = statement(&book, 8);
    let good = files(&book, digest).into_iter().find(|file| file.record.server.is_some()).unwrap();
    assert!(check_record(&statement, &digest, &good).is_ok());
    let other = Sha256::of(b"other");
    type Change = fn(&mut RecordFile, Sha256);
    let wrong: [(&str, Change); 13] = [
        ("path", |file, other| file.record.server = Some(other)),
        ("path", |file, other| file.record.release = Some(Fingerprint(other))),
        ("path", |file, other| file.salt = other),
        ("path", |file, _| file.index ^= 1),
        ("path", |file, _| file.index += 8),
        ("path", |file, other| file.path[0] = other),
        ("path", |file, _| file.path.truncate(2)),
        ("path", |file, other| file.path.push(other)),
        ("epoch", |file, _| file.record.epoch = 8),
        ("statement", |file, other| file.statement = other),
        ("384", |file, _| file.record.pad.push('0')),
        ("384", |file, _| file.record.pad = file.record.pad.replacen('0', "1", 1)),
        ("version", |file, _| file.record.v = 2),
    ];
    for (says, change) in wrong {
        let mut file = good.clone();
        change(&mut file, other);
        let error = check_record(&statement, &digest, &file).unwrap_err();
        assert!(error.exit_code() == 1 && error.what.contains(says), "{says}: {error}");
    }
    let filling = files(&book, digest).into_iter().find(|file| file.record.server.is_none()).unwrap();
    assert!(check_record(&statement, &digest, &filling).unwrap_err().what.contains("no server"));
    let text = String::from_utf8(to_canonical_json(&good).unwrap()).unwrap();
    for bad in [text.replacen("\"v\":1}", "\"v\":1,\"x\":1}", 2), text.replace(",\"v\":1}", ",\"v\":2}"), "{}".into()] {
        assert!(RecordFile::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(RecordFile::from_json(&[b' '; FILE_LIMIT + 1]).is_err());
}

#[test]
fn the_longest_record_and_what_does_not_fit() {
    let zero = Sha256::ZERO;
    let longest = Record::new(u64::MAX, zero, Fingerprint(zero), &"\"".repeat(CUSTOMER_LIMIT)).unwrap();
    assert_eq!(to_canonical_json(&longest).unwrap().len(), RECORD_LENGTH);
    assert_eq!(longest.pad.len(), RECORD_LENGTH - 349);
    for bad in ["x".repeat(CUSTOMER_LIMIT + 1), "a\nb".into()] {
        assert!(Record::new(7, zero, Fingerprint(zero), &bad).is_err());
    }
    for (servers, capacity) in [(3, 2), (0, 0), (0, 1), (0, 3), (0, 1 << 17)] {
        assert_eq!(
            Book::make(7, capacity, (0..servers).map(server).collect(), salts()).unwrap_err().exit_code(),
            2,
            "{servers} in {capacity}"
        );
    }
    assert!(Book::make(8, 4, vec![server(1)], salts()).is_err(), "of another epoch");
    assert!(Book::make(7, 4, vec![], || Err(Error::host("no randomness", ""))).is_err());
}

#[test]
fn statements_that_contradict_themselves() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let root = book(1, 2).root();
    assert!(sign(sample(root, 2).0, sample(root, 2).1, &key).is_ok());
    let (subject, good) = sample(root, 4);
    let bad = [
        FleetEpoch { root: Sha256::ZERO, ..good.clone() },
        FleetEpoch { capacity: 6, ..good.clone() },
        FleetEpoch { capacity: 0, ..good.clone() },
        FleetEpoch { capacity: CAPACITY_LIMIT * 2, ..good.clone() },
        FleetEpoch { until: "2026-10-31".parse().unwrap(), ..good },
    ];
    for epoch in bad {
        assert!(sign(subject.clone(), epoch.clone(), &key).is_err(), "{epoch:?}");
    }
}
