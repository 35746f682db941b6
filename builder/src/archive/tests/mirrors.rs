//! Several mirrors, each with a fault of its own, and dated copies behind them.

use super::fixture::{deb, mirrors, pool, Archive, Client, PATH, RELEASE};
use super::server::{Serve, Server};
use crate::archive::{fetch, older_release, Mirrors, GONE};
use crate::lock::{Lock, Locked};
use std::collections::BTreeMap;
use vitrine_attest::{Blame, Sha256};

const SIZE: usize = 300_000;
const DAY: &str = "Sat, 12 Sep 2026 07:55:41 UTC";

fn locked() -> (Archive, Client, Locked) {
    let archive = Archive::new();
    let client = Client::new(&archive.signer.keyring());
    let locked = client.locked(&archive.serve());
    (archive, client, locked)
}

fn noted(client: &Client, server: &Server, part: &str) {
    let notes = client.progress.notes();
    assert!(notes.iter().any(|note| note.contains(&server.url) && note.contains(part)), "no {part:?} in {notes:?}");
}

#[test]
fn a_mirror_that_lost_a_version_is_named() {
    let (mut archive, client, locked) = locked();
    let good = archive.serve();
    archive.files.remove(&pool("alpha"));
    let bad = archive.serve();
    client.fetch(&locked, &[&bad, &good]).unwrap();
    noted(&client, &bad, "does not have package alpha 1.0");
}

/// The old one has a good signature, too.
#[test]
fn an_older_index_does_not_count() {
    let mut archive = Archive::new();
    let client = Client::new(&archive.signer.keyring());
    let old = archive.serve();
    archive.release = archive.release.replace(DAY, "Sun, 13 Sep 2026 07:55:41 UTC");
    archive.sign();
    let new = archive.serve();
    let lock = client.lock(&[&old, &new]).unwrap();
    assert_eq!(lock.releases[0].date, "Sun, 13 Sep 2026 07:55:41 UTC");
    noted(&client, &old, "is behind: its release file of trixie is of Sat, 12 Sep");
    let stale = client.lock(&[&old]).unwrap();
    assert_eq!(older_release(&lock, &stale), Some(("trixie", "Sun, 13 Sep 2026 07:55:41 UTC", DAY)));
    assert_eq!(older_release(&stale, &lock), None);
}

/// Of the newest release file, but with the index from before.
#[test]
fn an_index_that_does_not_fit_its_release_file() {
    let mut archive = Archive::new();
    archive.drop_by_hash();
    let client = Client::new(&archive.signer.keyring());
    let good = archive.serve();
    archive.set(PATH, Serve::Whole(super::fixture::xz(b"Package: old\n\n")));
    let bad = archive.serve();
    assert_eq!(client.lock(&[&bad, &good]).unwrap().packages.len(), 2);
    noted(&client, &bad, "has other bytes for package index main of trixie");
}

/// A clock that is wrong, or a mirror that stopped: the next one may be up to date.
#[test]
fn out_of_date_or_from_the_future() {
    for (line, part) in [
        ("Valid-Until: Sat, 12 Sep 2020 07:55:41 UTC\nSuite:", "it was valid until"),
        ("Valid-Until: Sun, 12 Sep 2100 07:55:41 UTC\nSuite:", ""),
    ] {
        let mut archive = Archive::new();
        let client = Client::new(&archive.signer.keyring());
        let good = archive.serve();
        archive.release = archive.release.replacen("Suite:", line, 1);
        archive.sign();
        let other = archive.serve();
        assert_eq!(client.lock(&[&other, &good]).unwrap().packages.len(), 2);
        match part {
            "" => assert_eq!(client.progress.notes(), Vec::<String>::new()),
            part => noted(&client, &other, part),
        }
    }
    let mut archive = Archive::new();
    archive.release = archive.release.replace(DAY, "Tue, 12 Sep 2900 07:55:41 UTC");
    archive.sign();
    let client = Client::new(&archive.signer.keyring());
    let error = client.lock(&[&archive.serve()]).unwrap_err();
    assert!(error.what.contains("dated in the future") && error.hint.contains("clock"), "{error}");
}

/// Every mirror with its own reason.
#[test]
fn all_fail() {
    let (mut archive, client, locked) = locked();
    let empty = Server::start(BTreeMap::new());
    let mut bytes = deb("alpha", SIZE);
    bytes[7] ^= 1;
    archive.set(&pool("alpha"), Serve::Whole(bytes.clone()));
    let liar = archive.serve();
    archive.set(&pool("alpha"), Serve::Broken);
    let broken = archive.serve();
    let error = client.fetch(&locked, &[&empty, &broken]).unwrap_err();
    assert_eq!(error.blame, Blame::Host);
    for part in [format!("{} does not have it", empty.url), format!("{} answers 500", broken.url)] {
        assert!(error.what.contains(&part), "no {part:?} in {error}");
    }
    let error = client.fetch(&locked, &[&empty, &liar, &broken]).unwrap_err();
    assert_eq!(error.blame, Blame::Artefact);
    let lie = format!("{} has other bytes, {}", liar.url, Sha256::of(&bytes));
    assert!(
        error.what.contains(&lie) && error.what.contains(&broken.url) && error.what.contains(&empty.url),
        "{error}"
    );
    let error = client.lock(&[&empty, &broken_release()]).unwrap_err();
    assert!(error.what.contains("it does not have one; ") && error.what.contains("answers 500"), "{error}");
}

fn broken_release() -> Server {
    Server::start(BTreeMap::from([(RELEASE.to_string(), Serve::Broken)]))
}

/// The second mirror is asked only for what the first did not send.
#[test]
fn an_interrupted_download_goes_on_elsewhere() {
    let (mut archive, client, locked) = locked();
    let good = archive.serve();
    archive.set(&pool("alpha"), Serve::Dies(deb("alpha", SIZE), 70_000));
    let dying = archive.serve();
    client.fetch(&locked, &[&dying, &good]).unwrap();
    assert_eq!(good.asked("alpha_1.0_amd64.deb Some(70000)"), 1);
    assert_eq!(good.asked("alpha_1.0_amd64.deb None"), 0);
    noted(&client, &dying, "it is tried last from now on");
    assert_eq!(client.store.read_package(&locked.lock().packages[0]).unwrap(), deb("alpha", SIZE));
}

/// What a lying mirror sent before it fell silent does not spoil what the next one sends.
#[test]
fn an_interrupted_lie_is_begun_again() {
    let (mut archive, client, locked) = locked();
    let good = archive.serve();
    archive.set(&pool("alpha"), Serve::Dies(vec![7; SIZE], 70_000));
    client.fetch(&locked, &[&archive.serve(), &good]).unwrap();
    assert_eq!(client.store.read_package(&locked.lock().packages[0]).unwrap(), deb("alpha", SIZE));
    assert_eq!(good.asked("alpha_1.0_amd64.deb None"), 1);
}

/// It sends the head, and then nothing for longer than anybody waits.
#[test]
fn a_mirror_that_hangs() {
    let (mut archive, client, locked) = locked();
    let good = archive.serve();
    archive.set(&pool("alpha"), Serve::Stalls(SIZE));
    let slow = archive.serve();
    client.fetch(&locked, &[&slow, &good]).unwrap();
    noted(&client, &slow, "timeout");
    assert_eq!(good.asked("alpha"), 1);
}

#[test]
fn dated_copies() {
    let (mut archive, client, locked) = locked();
    let (alpha, beta) = (archive.files.remove(&pool("alpha")).unwrap(), archive.files[&pool("beta")].clone());
    let today = archive.serve();
    let dated = BTreeMap::from([
        (format!("/archive/debian/20260912T135541Z{}", pool("alpha")), alpha),
        (format!("/archive/debian/20260912T135541Z{}", pool("beta")), beta),
    ]);
    let dated = Server::start(dated);
    let with = |lock: &Lock| {
        let bases = [format!("{}/archive/debian", dated.url)];
        mirrors(&[&today]).with_snapshots(&bases, lock).unwrap()
    };
    let gone = client.fetch(&locked, &[&today]).unwrap_err();
    assert!(gone.what.contains(GONE) && gone.hint.contains("--snapshot"), "{gone}");
    fetch(&locked, Some(&with(locked.lock())), &client.store, &client.progress).unwrap();
    assert_eq!(client.store.read_package(&locked.lock().packages[0]).unwrap(), deb("alpha", SIZE));
    assert_eq!(dated.asked("beta"), 0, "what the mirror has is not asked of the dated copies");
    assert!(dated.asked("20260912T075541Z") == 1 && dated.asked("20260912T135541Z") == 1);
}

#[test]
fn a_lock_names_the_date_of_its_copies() {
    let (_, _, locked) = locked();
    let mirrors = Mirrors::default().with_snapshots(&["http://a.test/debian".into()], locked.lock()).unwrap();
    assert_eq!(mirrors.of_archive("debian").next(), Some("http://a.test/debian/20260912T075541Z"));
    assert_eq!(mirrors.of_archive("debian-security").next(), None, "the lock has no release file of it");
}
