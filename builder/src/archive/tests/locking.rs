//! From a signed release file to a lock.

use super::fixture::{xz, Archive, Client, PATH, RELEASE};
use super::server::{Serve, Server};
use super::signer::{Signer, With};
use vitrine_attest::{Blame, Error, Sha256};

fn refused(archive: &Archive, blame: Blame, part: &str) -> Error {
    let client = Client::new(&archive.signer.keyring());
    let error = client.lock(&[&archive.serve()]).expect_err(part);
    assert!(error.what.contains(part) && !error.hint.is_empty(), "no {part:?} in: {error}");
    assert_eq!(error.blame, blame, "{error}");
    error
}

/// The signed release file with one text in place of another.
fn tamper(archive: &mut Archive, from: &str, to: &str) {
    let Some(Serve::Whole(bytes)) = archive.files.get(RELEASE).cloned() else { panic!("no release file") };
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(from));
    archive.set(RELEASE, Serve::Whole(text.replacen(from, to, 1).into_bytes()));
}

#[test]
fn good() {
    let archive = Archive::new();
    let server = archive.serve();
    let client = Client::new(&archive.signer.keyring());
    let lock = client.lock(&[&server]).unwrap();
    let names: Vec<&str> = lock.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["alpha", "beta"]);
    assert_eq!(lock.packages[0].file, "pool/main/alpha_1.0_amd64.deb");
    assert_eq!(lock.releases[0].signed_by, archive.signer.fingerprint(With::Primary));
    assert_eq!(lock.recipe, client.recipe.debian.digest().unwrap());
    assert!(!lock.to_toml().unwrap().contains("127.0.0.1"), "a lock names no host");
    let again = client.lock(&[&server]).unwrap();
    assert_eq!(again.to_toml().unwrap(), lock.to_toml().unwrap());
    assert_eq!(server.asked("by-hash"), 1, "the index came from the store the second time");
}

#[test]
fn a_mirror_without_by_hash() {
    let mut archive = Archive::new();
    archive.drop_by_hash();
    let client = Client::new(&archive.signer.keyring());
    assert_eq!(client.lock(&[&archive.serve()]).unwrap().packages.len(), 2);
}

#[test]
fn a_release_file_that_was_altered() {
    let mut archive = Archive::new();
    tamper(&mut archive, "Suite: stable", "Suite: stabel");
    refused(&archive, Blame::Artefact, "does not fit the text");
}

#[test]
fn text_outside_the_signature() {
    for (from, to) in [
        ("-----BEGIN PGP SIGNED", "Suite: sid\n-----BEGIN PGP SIGNED"),
        ("-----BEGIN PGP SIGNATURE-----", "Extra: 1\n-----BEGIN PGP SIGNATURE-----"),
        ("-----END PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----\nSuite: sid\n"),
    ] {
        let mut archive = Archive::new();
        tamper(&mut archive, from, to);
        let client = Client::new(&archive.signer.keyring());
        assert!(client.lock(&[&archive.serve()]).is_err(), "{to} was taken");
    }
}

#[test]
fn another_key() {
    let mut archive = Archive::new();
    let honest = std::mem::replace(&mut archive.signer, Signer::new());
    archive.sign();
    archive.signer = honest;
    let error = refused(&archive, Blame::Artefact, "is not in the keyring");
    assert!(error.hint.contains("--keyring"));
}

#[test]
fn no_signature_at_all() {
    let mut archive = Archive::new();
    let text = archive.release.clone().into_bytes();
    archive.set(RELEASE, Serve::Whole(text));
    refused(&archive, Blame::Artefact, "no clear-signed text");
}

#[test]
fn cut_release_files() {
    let archive = Archive::new();
    let Some(Serve::Whole(bytes)) = archive.files.get(RELEASE).cloned() else { panic!("no release file") };
    let client = Client::new(&archive.signer.keyring());
    let keyring = crate::archive::Keyring::load(&client.keyring).unwrap();
    for end in 0..bytes.len() - 40 {
        assert!(crate::archive::Release::open(&bytes[..end], &keyring, u64::MAX / 2).is_err());
    }
}

#[test]
fn another_suite() {
    let mut archive = Archive::new();
    archive.release = archive.release.replace("stable", "unstable").replace("trixie\n", "sid\n");
    archive.sign();
    refused(&archive, Blame::Artefact, "it is for sid (unstable), asked for was trixie");
}

#[test]
fn out_of_date() {
    let mut archive = Archive::new();
    archive.release = format!("Valid-Until: Sat, 12 Sep 2020 07:55:41 UTC\n{}", archive.release);
    archive.sign();
    refused(&archive, Blame::Host, "it was valid until");
}

#[test]
fn an_altered_index() {
    let mut archive = Archive::new();
    archive.drop_by_hash();
    let Some(Serve::Whole(mut bytes)) = archive.files.get(PATH).cloned() else { panic!("no index") };
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    archive.set(PATH, Serve::Whole(bytes));
    refused(&archive, Blame::Artefact, "package index main of trixie differs");
}

#[test]
fn an_index_that_is_no_index() {
    for (bytes, part) in [(b"not xz".to_vec(), "cannot be unpacked"), (xz(b"Package: a\n\n"), "lacks Version")] {
        let mut archive = Archive::new();
        let path = PATH.trim_start_matches("/dists/trixie/");
        let line = format!(" {} {} {path}\n", Sha256::of(&bytes), bytes.len());
        let head = archive.release.split("SHA256:\n").next().unwrap().replace("Acquire-By-Hash: yes\n", "");
        archive.release = format!("{head}SHA256:\n{line}");
        archive.set(PATH, Serve::Whole(bytes));
        archive.sign();
        refused(&archive, Blame::Artefact, part);
    }
}

#[test]
fn unknown_names() {
    let archive = Archive::new();
    let server = archive.serve();
    let mut client = Client::new(&archive.signer.keyring());
    client.recipe.debian.packages = vec!["alpah".into()];
    let error = client.lock(&[&server]).unwrap_err();
    assert!(error.what.contains("no package alpah") && error.hint.contains("alpha"), "{error}");
    client.recipe.debian.packages = vec!["alpha".into()];
    client.recipe.debian.without.clear();
    assert!(client.lock(&[&server]).unwrap_err().what.contains("alpha depends on gamma"));
    client.recipe.debian.components = vec!["contrib".into()];
    assert!(client.lock(&[&server]).unwrap_err().what.contains("no contrib/binary-amd64"));
    client.recipe.debian.suite = "forky".into();
    let error = client.lock(&[&server]).unwrap_err();
    assert!(error.what.contains("release file of forky") && error.blame == Blame::Host, "{error}");
}

#[test]
fn the_next_mirror_helps() {
    let archive = Archive::new();
    let mut forged = Archive::new();
    tamper(&mut forged, "Suite: stable", "Suite: stabel");
    let (good, bad, empty) = (archive.serve(), forged.serve(), Server::start(Default::default()));
    let dead = Server { url: "http://127.0.0.1:1".into(), log: Default::default() };
    let client = Client::new(&archive.signer.keyring());
    assert_eq!(client.lock(&[&dead, &empty, &bad, &good]).unwrap().packages.len(), 2);
    let notes = client.progress.notes();
    assert_eq!(notes.len(), 5, "three release files, and for the index the dead mirror and the empty one: {notes:?}");
    let error = client.lock(&[&dead, &empty, &bad]).unwrap_err();
    assert_eq!(error.blame, Blame::Artefact, "a forged file weighs most: {error}");
}

#[test]
fn keyrings_that_do_not_help() {
    let archive = Archive::new();
    let server = archive.serve();
    for keyring in
        [&b""[..], b"no keyring", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxx\n-----END PGP PUBLIC KEY BLOCK-----\n"]
    {
        let error = Client::new(keyring).lock(&[&server]).unwrap_err();
        assert!(
            error.what.contains("no key that may sign") && error.hint.contains("debian-archive-keyring"),
            "{error}"
        );
    }
    let mut client = Client::new(&archive.signer.keyring());
    client.keyring = client.dir.path().join("none");
    assert_eq!(client.lock(&[&server]).unwrap_err().blame, Blame::Host);
}

#[test]
fn a_lock_that_no_longer_fits() {
    let archive = Archive::new();
    let client = Client::new(&archive.signer.keyring());
    let lock = client.lock(&[&archive.serve()]).unwrap();
    let mut recipe = client.recipe.clone();
    recipe.debian.packages.push("delta".into());
    let error = crate::lock::Locked::new(recipe, lock.clone()).unwrap_err();
    assert!(error.hint.contains("vitrine lock") && error.hint.contains("test.toml"), "{error}");
    let mut recipe = client.recipe.clone();
    recipe.config.wireguard.mtu = 1300;
    assert!(crate::lock::Locked::new(recipe, lock).is_ok(), "a configuration needs no new lock");
}
