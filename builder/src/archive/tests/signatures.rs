//! Which signatures count.

use super::fixture::Archive;
use super::signer::{Signer, With};
use crate::archive::{Keyring, Release};
use pgp::composed::ArmorOptions;
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::Timestamp;
use vitrine_attest::Result;

fn now() -> u32 {
    Timestamp::now().as_secs()
}

fn open(signed: &str, keyring: &[u8]) -> Result<Release> {
    Release::open(signed.as_bytes(), &Keyring::parse(keyring), now().into())
}

fn refused(signed: &str, keyring: &[u8], part: &str) {
    let error = open(signed, keyring).expect_err(part);
    assert!(error.what.contains(part), "no {part:?} in: {error}");
}

#[test]
fn primary_key_and_subkey() {
    let archive = Archive::new();
    let signer = &archive.signer;
    for with in [With::Primary, With::Subkey] {
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
            let signed = signer.sign_as(&archive.release, with, hash, Timestamp::now(), None);
            assert_eq!(open(&signed, &signer.keyring()).unwrap().signed_by, signer.fingerprint(with));
        }
    }
}

#[test]
fn several_keys_armored_or_not() {
    let archive = Archive::new();
    let signed = archive.signer.sign(&archive.release);
    let mut both = Signer::new().keyring();
    both.extend(archive.signer.keyring());
    assert!(open(&signed, &both).is_ok());
    let armored = archive.signer.public().to_armored_bytes(ArmorOptions::default()).unwrap();
    assert!(open(&signed, &armored).is_ok());
}

#[test]
fn weak_hash() {
    let archive = Archive::new();
    let signed = archive.signer.claim_sha1(&archive.release);
    refused(&signed, &archive.signer.keyring(), "weak hash");
}

#[test]
fn times() {
    let archive = Archive::new();
    let (signer, text) = (&archive.signer, &archive.release);
    let made =
        |secs: u32, life| signer.sign_as(text, With::Primary, HashAlgorithm::Sha256, Timestamp::from_secs(secs), life);
    let keyring = signer.keyring();
    assert!(open(&made(now() - 3600, Some(7200)), &keyring).is_ok());
    refused(&made(now() - 3600, Some(60)), &keyring, "is expired");
    refused(&made(now() + 3 * 86_400, None), &keyring, "lies in the future");
    refused(&made(now() - 3 * 86_400, None), &keyring, "older than its key");
}

#[test]
fn ended_and_revoked_keys() {
    let archive = Archive::new();
    let signer = &archive.signer;
    for with in [With::Primary, With::Subkey] {
        let signed =
            signer.sign_as(&archive.release, with, HashAlgorithm::Sha256, Timestamp::from_secs(now() - 80_000), None);
        assert!(open(&signed, &signer.keyring_ending(10 * 86_400)).is_ok());
        refused(&signed, &signer.keyring_ending(3600), "is expired");
        refused(&signed, &signer.keyring_ending(43_200), "is expired");
        refused(&signed, &signer.keyring_revoked(), "is not in the keyring");
    }
}

#[test]
fn a_subkey_that_belongs_to_another() {
    let archive = Archive::new();
    let thief = Signer::new();
    let signed = archive.signer.sign_as(&archive.release, With::Subkey, HashAlgorithm::Sha256, Timestamp::now(), None);
    refused(&signed, &thief.keyring_with_foreign_subkey(&archive.signer), "is not in the keyring");
}

/// A keyring with flipped bits gives fewer keys, never a panic.
#[test]
fn altered_keyrings() {
    let keyring = Signer::new().keyring();
    for at in 0..keyring.len() {
        let mut bad = keyring.clone();
        bad[at] ^= 0x55;
        let _ = Keyring::parse(&bad);
        let _ = Keyring::parse(&keyring[..at]);
    }
}

/// The keyring of this machine, where there is one, has keys that may sign.
#[test]
fn the_real_keyring() {
    let path = std::path::Path::new(crate::archive::DEFAULT_KEYRING);
    if !path.exists() {
        eprintln!("skipped: {} is not installed", path.display());
        return;
    }
    Keyring::load(path).unwrap();
}
