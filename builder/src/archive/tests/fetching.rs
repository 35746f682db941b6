//! From a lock to packages in the store.

use super::fixture::{deb, pool, Archive, Client};
use super::server::{Serve, Server};
use crate::archive::{fetch, GONE};
use std::fs;
use vitrine_attest::{Blame, Sha256};

const SIZE: usize = 300_000;

fn alpha() -> Vec<u8> {
    deb("alpha", SIZE)
}

/// A client with a lock of an honest archive, and that archive to be changed.
fn locked() -> (Archive, Client, crate::lock::Locked) {
    let archive = Archive::new();
    let client = Client::new(&archive.signer.keyring());
    let locked = client.locked(&archive.serve());
    (archive, client, locked)
}

#[test]
fn good_then_offline() {
    let (archive, client, locked) = locked();
    let error = fetch(&locked, None, &client.store, &client.progress).unwrap_err();
    assert!(error.what.contains("alpha 1.0, beta 1.0") && error.hint.contains("--offline"), "{error}");
    client.fetch(&locked, &[&archive.serve()]).unwrap();
    fetch(&locked, None, &client.store, &client.progress).unwrap();
    assert_eq!(client.store.read_package(&locked.lock().packages[0]).unwrap(), alpha());
    assert_eq!(client.parts(), 0);
    let empty = Server::start(Default::default());
    client.fetch(&locked, &[&empty]).unwrap();
    assert_eq!(empty.asked("GET"), 0, "nothing is asked for twice");
}

#[test]
fn altered_package() {
    let (mut archive, client, locked) = locked();
    let mut bytes = alpha();
    bytes[SIZE / 2] ^= 1;
    archive.set(&pool("alpha"), Serve::Whole(bytes));
    let error = client.fetch(&locked, &[&archive.serve()]).unwrap_err();
    assert_eq!(error.blame, Blame::Artefact);
    let sha = locked.lock().packages[0].sha256.to_string();
    assert!(error.what.contains("package alpha 1.0 differs") && error.what.contains(&sha), "{error}");
    assert!(client.store.path(&locked.lock().packages[0].sha256).is_none());
    assert_eq!(client.parts(), 0);
}

#[test]
fn another_size() {
    for serve in [Serve::Whole(alpha()[1..].to_vec()), Serve::Whole([alpha(), vec![0]].concat())] {
        let (mut archive, client, locked) = locked();
        archive.set(&pool("alpha"), serve);
        let error = client.fetch(&locked, &[&archive.serve()]).unwrap_err();
        assert!(error.blame == Blame::Artefact && error.what.contains("bytes instead of 300000"), "{error}");
    }
}

#[test]
fn gone_everywhere() {
    let (mut archive, client, locked) = locked();
    archive.files.remove(&pool("alpha"));
    let servers = [archive.serve(), Server::start(Default::default())];
    let error = client.fetch(&locked, &[&servers[0], &servers[1]]).unwrap_err();
    assert_eq!((error.blame, error.exit_code()), (Blame::Host, 2));
    let both = format!("{}, {}", servers[0].url, servers[1].url);
    assert_eq!(error.what, format!("package alpha 1.0 {GONE} ({both})"));
    assert!(error.hint.contains("--mirror") && error.hint.contains("vitrine lock"), "{error}");
    archive.files.remove(&pool("beta"));
    fs::remove_file(client.store.path(&locked.lock().packages[1].sha256).unwrap()).unwrap();
    let error = client.fetch(&locked, &[&archive.serve()]).unwrap_err();
    assert!(error.what.contains("package alpha 1.0, package beta 1.0") && error.what.contains(GONE), "{error}");
}

#[test]
fn cut_and_resumed() {
    let (mut archive, client, locked) = locked();
    archive.set(&pool("alpha"), Serve::Cut(alpha(), 70_000));
    let server = archive.serve();
    client.fetch(&locked, &[&server]).unwrap();
    assert_eq!(server.asked("alpha_1.0_amd64.deb None"), 1);
    assert_eq!(server.asked("alpha_1.0_amd64.deb Some(280000)"), 1);
    assert_eq!(client.store.read_package(&locked.lock().packages[0]).unwrap(), alpha());
}

#[test]
fn cut_for_good_keeps_the_part_for_the_next_try() {
    let (mut archive, client, locked) = locked();
    archive.set(&pool("alpha"), Serve::Cut(alpha(), 10_000));
    let error = client.fetch(&locked, &[&archive.serve()]).unwrap_err();
    assert!(error.blame == Blame::Host && error.what.contains("stops"), "{error}");
    assert!(client.store.path(&locked.lock().packages[0].sha256).is_none());
    assert_eq!(client.parts(), 1);
    archive.set(&pool("alpha"), Serve::Whole(alpha()));
    let server = archive.serve();
    client.fetch(&locked, &[&server]).unwrap();
    assert_eq!((server.asked("alpha_1.0_amd64.deb Some("), client.parts()), (1, 0));
}

#[test]
fn a_wrong_part_is_begun_again() {
    for (part, serve) in [
        (vec![7; 1000], Serve::Whole(alpha())),
        (vec![7; SIZE], Serve::Whole(alpha())),
        (vec![7; SIZE + 5], Serve::Whole(alpha())),
        (alpha()[..1000].to_vec(), Serve::NoRanges(alpha())),
    ] {
        let (mut archive, client, locked) = locked();
        let sha = locked.lock().packages[0].sha256;
        fs::write(client.store.partial(&sha), part).unwrap();
        archive.set(&pool("alpha"), serve);
        client.fetch(&locked, &[&archive.serve()]).unwrap();
        assert_eq!(Sha256::of(&client.store.read(&sha).unwrap()), sha);
    }
}

#[test]
fn the_first_mirror_lies() {
    let (archive, client, locked) = locked();
    let mut liar = Archive::new();
    liar.set(&pool("alpha"), Serve::Whole(vec![0; SIZE]));
    client.fetch(&locked, &[&liar.serve(), &archive.serve()]).unwrap();
    assert!(client.progress.notes().iter().any(|note| note.contains("other bytes for package alpha")));
}

#[test]
fn endless_silent_and_broken_mirrors() {
    for (serve, part) in [
        (Serve::Endless(alpha()), "more than 300000 bytes"),
        (Serve::Silent, "bytes instead of"),
        (Serve::Broken, "answers 500"),
    ] {
        let (mut archive, client, locked) = locked();
        let good = archive.serve();
        archive.set(&pool("alpha"), serve);
        let bad = archive.serve();
        let error = client.fetch(&locked, &[&bad]).unwrap_err();
        assert!(error.what.contains(part), "no {part:?} in: {error}");
        client.fetch(&locked, &[&bad, &good]).unwrap();
    }
}

#[test]
fn a_mirror_that_falls_silent() {
    let (mut archive, client, locked) = locked();
    archive.set("/dists/trixie/InRelease", Serve::Silent);
    let error = client.lock(&[&archive.serve()]).unwrap_err();
    assert!(error.blame == Blame::Host && error.what.contains("timeout"), "{error}");
    assert_eq!(locked.lock().packages.len(), 2);
}

/// A link to `/dev/full` stands for a full disk.
#[test]
fn a_full_disk() {
    let (archive, client, locked) = locked();
    let sha = locked.lock().packages[0].sha256;
    std::os::unix::fs::symlink("/dev/full", client.store.partial(&sha)).unwrap();
    let error = client.fetch(&locked, &[&archive.serve()]).unwrap_err();
    assert!(error.blame == Blame::Host && error.hint.contains("disk is full"), "{error}");
    assert!(client.store.path(&sha).is_none());
}

#[test]
fn two_programs_at_once() {
    let (archive, client, locked) = locked();
    let server = archive.serve();
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| client.fetch(&locked, &[&server])));
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    assert_eq!(client.store.read_package(&locked.lock().packages[0]).unwrap(), alpha());
    assert_eq!(client.parts(), 0);
}
