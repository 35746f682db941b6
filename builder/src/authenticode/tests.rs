//! sbverify judges what we sign. Without sbsigntool these tests say that they were skipped.

use super::*;
use crate::{keys, uki};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use vitrine_attest::Blame;

/// One keys folder for all tests: RSA keys take a while to make.
fn key_folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            keys::generate(folder.path(), "test").unwrap();
            folder
        })
        .path()
}

/// The test image, and one around a real stub when VITRINE_STUB names it.
fn images() -> Vec<Vec<u8>> {
    let mut images = vec![uki::tests::sample()];
    if let Some(path) = std::env::var_os("VITRINE_STUB") {
        let stub = fs::read(path).unwrap();
        images.push(uki::tests::sample_on(&stub));
    }
    images
}

/// Whether sbverify takes a file; `None` when it is not installed.
fn sbverify(image: &Path, certificate: &Path) -> Option<bool> {
    match Command::new("sbverify").arg("--cert").arg(certificate).arg(image).output() {
        Ok(output) => Some(output.status.success()),
        Err(_) => {
            eprintln!("skipped: sbverify is not installed (package sbsigntool)");
            None
        }
    }
}

#[test]
fn sbverify_takes_what_we_sign() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.efi");
    for image in images() {
        let signed = sign(&image, &keys::image_signer(key_folder()).unwrap()).unwrap();
        fs::write(&file, &signed).unwrap();
        let Some(good) = sbverify(&file, &key_folder().join("db.crt")) else { return };
        assert!(good, "sbverify refused our signature");
        assert_eq!(sbverify(&file, &key_folder().join("KEK.crt")), Some(false), "another certificate was taken");
        let mut changed = signed;
        changed[700] ^= 1;
        fs::write(&file, &changed).unwrap();
        assert_eq!(sbverify(&file, &key_folder().join("db.crt")), Some(false), "a changed image was taken");
    }
}

#[test]
fn signing_twice_gives_the_same_bytes_and_keeps_the_digest() {
    let image = uki::tests::sample();
    let signer = keys::image_signer(key_folder()).unwrap();
    let signed = sign(&image, &signer).unwrap();
    assert_eq!(signed, sign(&image, &signer).unwrap());
    assert_eq!(pe::authenticode(&signed).unwrap(), pe::authenticode(&image).unwrap());
    assert_eq!(signed.len() % 8, 0);
    assert!(sign(&signed, &signer).unwrap_err().what.contains("signed already"));
}

#[test]
fn without_its_signature_it_is_as_before() {
    let image = uki::tests::sample();
    let mut signed = sign(&image, &keys::image_signer(key_folder()).unwrap()).unwrap();
    assert_eq!(attach::detach(&signed).unwrap(), image);
    assert_eq!(attach::detach(&image).unwrap(), image);
    // as a signer leaves it who fills in CheckSum
    signed[0x40 + 24 + 64] = 7;
    assert_eq!(attach::detach(&signed).unwrap(), image);
    signed[700] ^= 1;
    assert_ne!(attach::detach(&signed).unwrap(), image);
    assert!(attach::detach(b"MZ").is_err());
}

/// A key that never is on this machine: a command signs, or a signature comes as a file. All ways give the same image.
#[test]
fn outside_signers() {
    let image = uki::tests::sample();
    let certificate = keys::certificate(&key_folder().join("db.crt")).unwrap();
    let expected = sign(&image, &keys::image_signer(key_folder()).unwrap()).unwrap();
    let openssl = |key: &str| format!("openssl dgst -sha256 -sign '{}'", key_folder().join(key).display());
    let command = |command: String| Signer::Command { command, certificate: certificate.clone() };
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not installed");
        return;
    }
    assert_eq!(sign(&image, &command(openssl("db.key"))).unwrap(), expected);

    let wrong_key = sign(&image, &command(openssl("KEK.key"))).unwrap_err();
    assert!(wrong_key.what.contains("does not verify") && wrong_key.blame == Blame::Artefact, "{wrong_key}");
    for (bad, part) in
        [("exit 3", "failed"), ("echo no", "does not verify"), ("cat /dev/zero", "more than a signature")]
    {
        let error = sign(&image, &command(bad.into())).unwrap_err();
        assert!(error.what.contains(part), "{bad}: {error}");
    }

    let folder = tempfile::tempdir().unwrap();
    let message = folder.path().join("to-sign");
    fs::write(&message, bytes_to_sign(&image).unwrap()).unwrap();
    let key: PathBuf = key_folder().join("db.key");
    let output = Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(&key).arg(&message).output().unwrap();
    let detached = Signer::Detached { signature: output.stdout, certificate };
    assert_eq!(sign(&image, &detached).unwrap(), expected);
}

#[test]
fn malformed_certificates_and_keys() {
    let certificate = fs::read(key_folder().join("db.crt")).unwrap();
    let key = fs::read(key_folder().join("db.key")).unwrap();
    let release = fs::read(key_folder().join("release.key")).unwrap();
    Key::new(&key, &certificate).unwrap();
    assert!(Key::new(&certificate, &certificate).is_err(), "a certificate was taken for a key");
    assert!(Key::new(&release, &certificate).is_err(), "an Ed25519 key was taken");
    assert!(Certificate::parse(&key).is_err(), "a key was taken for a certificate");
    let der = Certificate::parse(&certificate).unwrap().der().to_vec();
    Certificate::parse(&der).unwrap();
    for end in 0..der.len() {
        assert!(Certificate::parse(&der[..end]).is_err(), "{end} bytes were taken");
    }
}
