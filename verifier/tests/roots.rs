//! EK roots as makers publish them: folders, bundles, real certificates, and CAs whose own signature we cannot verify.

mod mock;
mod person;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use mock::Scene;
use person::{cannot_judge, ends, json, serve_scene, Person, Served};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitrine_attest::digest::hex;
use vitrine_attest::tpm::Public;
use vitrine_attest::{ek, Sha256};
use vitrine_verifier::roots::{bundle, read};

fn start() -> (Person, Served) {
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::create_dir(person.path("folder")).unwrap();
    (person, serve_scene(scene))
}

fn check(person: &Person, served: &Served, roots: &str) -> Output {
    person.check(&served.url, &format!("--roots {roots} --no-state"))
}

/// The mock vendor's certificate; the issuer of every EK certificate here.
fn issuer(person: &Person) -> Vec<u8> {
    std::fs::read(person.path("roots")).unwrap()
}

fn put(person: &Person, name: &str, bytes: &[u8]) {
    let path = person.path("folder").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn folders() {
    let (person, served) = start();
    cannot_judge(&check(&person, &served, "folder"), "no file of the folder ends in");
    put(&person, "readme.txt", b"nothing");
    put(&person, "other/maker.CER", Scene::good().tpm.ca());
    ends(&check(&person, &served, "folder"), 1, "REJECTED; TPM not shown");
    put(&person, "mock/Root CA/issuer.crt", &issuer(&person));
    ends(&check(&person, &served, "folder"), 0, "ACCEPTED");
    assert_eq!(read(&person.path("folder")).unwrap().count(), 2);
    // a mistake is said with the file's name, and nobody is asked
    let looks = served.inside.lock().unwrap().looks;
    for (bytes, says) in [
        (b"hello".to_vec(), "other/wrong.pem: EK roots: no certificate in it"),
        (issuer(&person)[..99].to_vec(), "other/wrong.pem: EK roots: it is cut off"),
        (vec![0xc3; 9], "other/wrong.pem: EK roots: there is something in it"),
    ] {
        put(&person, "other/wrong.pem", &bytes);
        cannot_judge(&check(&person, &served, "folder"), says);
    }
    assert_eq!(served.inside.lock().unwrap().looks, looks);
}

#[test]
fn folders_without_an_end() {
    let (person, _served) = start();
    put(&person, "a/b/c/d/e.pem", &issuer(&person));
    assert_eq!(read(&person.path("folder")).unwrap().count(), 1);
    std::os::unix::fs::symlink(person.path("folder"), person.path("folder/a/again")).unwrap();
    let error = read(&person.path("folder")).unwrap_err();
    assert!(error.what.contains("deeper than 4") && error.exit_code() == 2, "{error}");
}

/// Vectors are not part of the repository: each one is linked, or the test says that it is skipped.
fn vectors() -> Option<PathBuf> {
    let named = std::env::var_os("VITRINE_VECTORS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = named.unwrap_or(beside).join("ek-certs");
    if !folder.is_dir() {
        eprintln!("skipped: no vectors; name their folder in VITRINE_VECTORS");
        return None;
    }
    Some(folder)
}

#[test]
fn a_folder_of_real_certificates() {
    let Some(vectors) = vectors() else { return };
    let (person, served) = start();
    let folder = person.path("folder");
    let mut digests = vec![];
    for name in [
        "gcp_ek_ak_ca_intermediate_v3.crt",
        "gcp_ek_ak_ca_root.crt",
        "tpm_ek_intermediate_2.crt",
        "tpm_ek_intermediate_3.crt",
        "tpm_ek_root_1.cer",
    ] {
        std::os::unix::fs::symlink(vectors.join(name), folder.join(name)).unwrap();
        digests.push(Sha256::of(&std::fs::read(vectors.join(name)).unwrap()));
    }
    assert_eq!(read(&folder).unwrap().digests().collect::<Vec<_>>(), digests);
    ends(&check(&person, &served, "folder"), 1, "REJECTED; TPM not shown");
    put(&person, "ours.der", &issuer(&person));
    ends(&check(&person, &served, "folder"), 0, "ACCEPTED");
    // a real leaf is no root
    std::os::unix::fs::symlink(vectors.join("uca_tpm_rsa_enc_cert.pem"), folder.join("leaf.pem")).unwrap();
    cannot_judge(&check(&person, &served, "folder"), "leaf.pem: EK roots: certificate 1 is not that of a CA");
}

/// TPMT_PUBLIC of the endorsement key that an ECC certificate is for: standard template, the certificate's point.
fn endorsement_key(certificate: &[u8]) -> Public {
    // SubjectPublicKeyInfo of P-256 up to the point (RFC 5480)
    let head = [&[0x30, 0x59, 0x30, 0x13, 6, 7][..], b"*\x86H\xce=\x02\x01\x06\x08*\x86H\xce=\x03\x01\x07\x03B\0\x04"]
        .concat();
    let at = certificate.windows(head.len()).position(|w| w == head).unwrap() + head.len();
    let (x, y) = certificate[at..at + 64].split_at(32);
    let front = [&[0, 0x23, 0, 0x0b, 0, 3, 0, 0xb2, 0, 32][..], &[0x83; 32], &[0, 6, 0, 128, 0, 0x43]].concat();
    Public::parse(&[&front[..], &[0, 0x10, 0, 3, 0, 0x10, 0, 32], x, &[0, 32], y].concat()).unwrap()
}

/// As they come: CAs of clouds in one file, PEM and DER and padding, and a TPM's certificate as NV pads it.
#[test]
fn a_real_tpm_and_a_mixed_bundle() {
    let Some(vectors) = vectors() else { return };
    let vector = |name: &str| std::fs::read(vectors.join(name)).unwrap();
    let names =
        ["gcp_ek_ak_ca_root.crt", "tpm_ek_root_1.cer", "tpm_ek_intermediate_2.crt", "tpm_ek_intermediate_3.crt"];
    let all = names.map(vector);
    let pem = format!("# made\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&all[2]));
    let person = Person::of(&Scene::good());
    let bundle = [&all[0], pem.as_bytes(), &all[3], &[0xff; 64], &all[1], &all[3]].concat();
    std::fs::write(person.path("bundle"), bundle).unwrap();
    let roots = read(&person.path("bundle")).unwrap();
    assert_eq!(roots.count(), 4);
    let leaf = bundle::certificates(&vector("uca_tpm_ecc_enc_cert.pem")).unwrap().remove(0);
    for padding in [vec![], vec![0; 700], vec![0xff; 700]] {
        let padded = [leaf.clone(), padding].concat();
        // 2025-11-20, when the vectors were taken
        let endorsement = ek::verify(&padded, &endorsement_key(&leaf), &roots, 1_763_600_000).unwrap();
        assert_eq!(endorsement.root, Sha256::of(&all[3]), "the issuing CA is enough, its root is not asked");
        assert_eq!(endorsement.certificate, Sha256::of(&leaf));
    }
}

/// None with a message when openssl is not there; in CI that is a failure.
fn openssl(folder: &Path, line: &str) -> Option<()> {
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(folder).output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
            Some(())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "openssl: {error}");
            eprintln!("skipped: openssl: {error}");
            None
        }
    }
}

/// The issuing CA, certified by a root of this key and signature.
fn certified(person: &Person, key: &str, hash: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let folder = person.path(".");
    openssl(&folder, &format!("{key} -out root.key"))?;
    openssl(&folder, "x509 -inform DER -in roots -out issuing.pem")?;
    openssl(
        &folder,
        &format!("req -x509 -new -key root.key -subj /CN=root -days 30 {hash} -outform DER -out root.der"),
    )?;
    openssl(&folder, "x509 -inform DER -in root.der -out root.pem")?;
    let sign = "x509 -in issuing.pem -CA root.pem -CAkey root.key -set_serial 2 -days 30";
    openssl(&folder, &format!("{sign} {hash} -outform DER -out issuing.der"))?;
    let read = |name: &str| std::fs::read(person.path(name)).unwrap();
    Some((read("root.der"), read("issuing.der")))
}

/// OIDs of signatures, as hex: ecdsa-with-SHA512 (by a P-521 key), sha1WithRSAEncryption, ecdsa-with-SHA1.
#[test]
fn an_issuing_ca_that_is_certified_by_p521_or_sha1_can_be_pinned() {
    for (key, hash, oid) in [
        ("ecparam -name secp521r1 -genkey -noout", "-sha512", "06082a8648ce3d040304"),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha1", "06092a864886f70d010105"),
        ("ecparam -name prime256v1 -genkey -noout", "-sha1", "06072a8648ce3d0401"),
    ] {
        let (person, served) = start();
        let Some((root, issuing)) = certified(&person, key, hash) else { return };
        assert!(hex(&issuing).contains(oid), "{key} {hash}: another signature");
        // the root alone does not lead to the TPM: nothing between is given, and its signature is not verified
        put(&person, "root.der", &root);
        let output = check(&person, &served, "folder --json");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(json(&output)["grounds"], serde_json::json!(["tpm"]));
        put(&person, "issuing.der", &issuing);
        ends(&check(&person, &served, "folder"), 0, "ACCEPTED");
        std::fs::remove_file(person.path("folder/root.der")).unwrap();
        ends(&check(&person, &served, "folder"), 0, "ACCEPTED");
        // and in one file, as text and bytes
        let pem = std::fs::read(person.path("root.pem")).unwrap();
        let bundle = [b"# all\n".as_slice(), &pem, &issuing, b"\n"].concat();
        std::fs::write(person.path("bundle"), bundle).unwrap();
        assert_eq!(read(&person.path("bundle")).unwrap().count(), 2);
        ends(&check(&person, &served, "bundle"), 0, "ACCEPTED");
    }
}
