//! The keys folder: made by `vitrine keygen`, read by everything that signs.
//!
//! | file | what |
//! |---|---|
//! | `release.key`, `release.pub` | Ed25519, signs statements; PKCS#8 PEM, and a C2SP key text |
//! | `owner.key`, `owner.pub` | Ed25519, signs orders to a running server; PKCS#8 PEM, and base64 of 32 bytes |
//! | `PK`, `KEK`, `db`: `.key`, `.crt` | RSA-2048, Secure Boot; PKCS#8 PEM, and self-signed certificates in PEM |
//! | `secure-boot.json` | what is enrolled in the firmware (public) |

use crate::authenticode::{Certificate, Key, Signer};
use crate::out;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use vitrine_attest::digest::Key32;
use vitrine_attest::secure_boot::{signature_list, Guid, Variables};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{private_key, Error, Result};
use zeroize::Zeroizing;

pub const RELEASE_KEY: &str = "release.key";
pub const RELEASE_PUB: &str = "release.pub";
pub const OWNER_KEY: &str = "owner.key";
pub const OWNER_PUB: &str = "owner.pub";
pub const SECURE_BOOT: &str = "secure-boot.json";

/// SignatureOwner in our signature lists (UEFI 2.10 §32.4.1): "the agent which added the signature".
/// `c1d2a8f3-6b1e-4a57-9e0c-7a1f5b3d9e42`; it is measured into PCR 7 with the certificate.
pub(crate) const SIGNATURE_OWNER: Guid =
    [0xf3, 0xa8, 0xd2, 0xc1, 0x1e, 0x6b, 0x57, 0x4a, 0x9e, 0x0c, 0x7a, 0x1f, 0x5b, 0x3d, 0x9e, 0x42];
/// Largest key or certificate file that is read, in bytes.
const FILE_LIMIT: u64 = 64 << 10;
/// Largest `secure-boot.json`, in bytes: 4,096 digests in dbx have 256 KiB in base64.
const VARIABLES_LIMIT: u64 = 1 << 20;
/// RSA-2048: what all UEFI firmware accepts (UEFI 2.10 §32.4.1 names no other for Authenticode).
const RSA_BITS: usize = 2048;

/// One file of the folder.
struct NewFile {
    name: String,
    /// Wiped from memory at the end: half of these are private keys.
    bytes: Zeroizing<Vec<u8>>,
}

impl NewFile {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: Zeroizing::new(bytes.into()) }
    }
    fn is_private(&self) -> bool {
        self.name.ends_with(".key")
    }
}

/// Makes a complete keys folder; `name` is the release key's name in statements and proofs.
/// Gives the paths written.
///
/// # Errors
/// When one of the files exists: keys are never overwritten.
pub fn generate(dir: &Path, name: &str) -> Result<Vec<PathBuf>> {
    refuse_existing(dir)?;
    let mut files = Vec::new();
    files.extend(release_files(name)?);
    files.extend(owner_files()?);
    files.extend(secure_boot_files()?);
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| out::cannot("make folder", dir, &e))?;
    write_all(dir, &files)
}

fn refuse_existing(dir: &Path) -> Result<()> {
    let secure_boot = ["PK", "KEK", "db"].into_iter().flat_map(|n| [format!("{n}.key"), format!("{n}.crt")]);
    let named = [RELEASE_KEY, RELEASE_PUB, OWNER_KEY, OWNER_PUB, SECURE_BOOT].map(String::from);
    for name in named.into_iter().chain(secure_boot) {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(Error::input(
                format!("{} exists already, and keys are never overwritten", path.display()),
                "give a new folder with --out",
            ));
        }
    }
    Ok(())
}

/// All or nothing: what was written is removed again when a later file cannot be.
fn write_all(dir: &Path, files: &[NewFile]) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for file in files {
        let path = dir.join(&file.name);
        let mode = if file.is_private() { 0o600 } else { 0o644 };
        let result = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .inspect(|_| written.push(path.clone()))
            .and_then(|mut f| f.write_all(&file.bytes).and_then(|()| f.sync_all()));
        if let Err(e) = result {
            for path in &written {
                let _ = fs::remove_file(path); // the first error is the one to report
            }
            return Err(out::cannot("write", &path, &e));
        }
    }
    Ok(written)
}

fn ed25519_pem(key: &SigningKey) -> Result<Zeroizing<String>> {
    // without the public key: PKCS#8 version 1 (RFC 8410 §7), which every tool reads
    KeypairBytes { secret_key: key.to_bytes(), public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|e| Error::bug(format!("an Ed25519 key has no PEM form: {e}")))
}

fn release_files(name: &str) -> Result<[NewFile; 2]> {
    let key = SigningKey::generate(&mut OsRng);
    let text = NoteKey::new(name, key.verifying_key())?;
    Ok([NewFile::new(RELEASE_KEY, ed25519_pem(&key)?.as_bytes()), NewFile::new(RELEASE_PUB, format!("{text}\n"))])
}

fn owner_files() -> Result<[NewFile; 2]> {
    let key = SigningKey::generate(&mut OsRng);
    let public = Key32(key.verifying_key().to_bytes());
    Ok([NewFile::new(OWNER_KEY, ed25519_pem(&key)?.as_bytes()), NewFile::new(OWNER_PUB, format!("{public}\n"))])
}

fn secure_boot_files() -> Result<Vec<NewFile>> {
    let mut files = Vec::new();
    let mut list = |name: &str, common_name: &str| -> Result<Vec<u8>> {
        let (key, certificate) = rsa_certificate(common_name)?;
        files.push(NewFile::new(format!("{name}.key"), key.as_bytes()));
        files.push(NewFile::new(format!("{name}.crt"), certificate.pem()));
        Ok(signature_list(SIGNATURE_OWNER, certificate.der()))
    };
    let variables = Variables {
        pk: list("PK", "Vitrine platform key")?,
        kek: list("KEK", "Vitrine key exchange key")?,
        db: list("db", "Vitrine image signing key")?,
        dbx: Vec::new(),
    };
    let mut json =
        serde_json::to_vec_pretty(&variables).map_err(|e| Error::bug(format!("variables have no JSON form: {e}")))?;
    json.push(b'\n');
    files.push(NewFile::new(SECURE_BOOT, json));
    Ok(files)
}

/// A new RSA key (PKCS#8 PEM) and a self-signed certificate for it.
///
/// Valid 2025–2049: fixed, so that no clock is needed; firmware does not look at it, and 2049 is the last year
/// of UTCTime (RFC 5280 §4.1.2.5). No key usage, no extended key usage: firmware differs in what it makes of them.
fn rsa_certificate(common_name: &str) -> Result<(Zeroizing<String>, rcgen::Certificate)> {
    let bug = |e: &dyn std::fmt::Display| Error::bug(format!("cannot make the certificate \"{common_name}\": {e}"));
    let key = rsa::RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|e| bug(&e))?;
    let pem = rsa::pkcs8::EncodePrivateKey::to_pkcs8_pem(&key, LineEnding::LF).map_err(|e| bug(&e))?;
    let pair = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &rcgen::PKCS_RSA_SHA256).map_err(|e| bug(&e))?;
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    parameters.not_before = rcgen::date_time_ymd(2025, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2049, 12, 31);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let certificate = parameters.self_signed(&pair).map_err(|e| bug(&e))?;
    Ok((pem, certificate))
}

fn read_key(path: &Path) -> Result<SigningKey> {
    let bytes = Zeroizing::new(out::read(path, FILE_LIMIT)?);
    private_key::ed25519(&bytes, path.display(), "make keys with `vitrine keygen --out DIR`")
}

/// The key that signs statements.
pub fn release_key(dir: &Path) -> Result<SigningKey> {
    read_key(&dir.join(RELEASE_KEY))
}

/// The key that signs orders to a running server.
pub fn owner_key(dir: &Path) -> Result<SigningKey> {
    read_key(&dir.join(OWNER_KEY))
}

/// The signer of images: `db.key` and `db.crt`.
pub fn image_signer(dir: &Path) -> Result<Signer> {
    secure_boot_signer(dir, "db")
}

/// `PK`, `KEK` or `db`: its key and certificate.
pub fn secure_boot_signer(dir: &Path, name: &str) -> Result<Signer> {
    let path = dir.join(format!("{name}.key"));
    let key = Zeroizing::new(out::read(&path, FILE_LIMIT)?);
    let certificate = out::read(&dir.join(format!("{name}.crt")), FILE_LIMIT)?;
    let key = Key::new(&key, &certificate).map_err(|e| e.within(path.display()))?;
    Ok(Signer::Key(Box::new(key)))
}

/// A certificate file.
pub fn certificate(path: &Path) -> Result<Certificate> {
    Certificate::parse(&out::read(path, FILE_LIMIT)?).map_err(|e| e.within(path.display()))
}

/// `secure-boot.json`.
pub fn variables(path: &Path) -> Result<Variables> {
    let variables: Variables = serde_json::from_slice(&out::read(path, VARIABLES_LIMIT)?).map_err(|e| {
        Error::input(format!("{}: {e}", path.display()), "give the secure-boot.json of `vitrine keygen`")
    })?;
    variables.check().map_err(|e| e.within(path.display()))?;
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_is_complete_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let written = generate(&folder, "example.org/release").unwrap();
        assert_eq!(written.len(), 11);
        for path in &written {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            let private = path.extension().is_some_and(|e| e == "key");
            assert_eq!(mode & 0o777 == 0o600, private, "{} has mode {mode:o}", path.display());
        }
        let public = NoteKey::from_file(&fs::read(folder.join(RELEASE_PUB)).unwrap()).unwrap();
        assert_eq!(
            (public.name(), public.key()),
            ("example.org/release", &release_key(&folder).unwrap().verifying_key().into())
        );
        let owner: Key32 = fs::read_to_string(folder.join(OWNER_PUB)).unwrap().trim_end().parse().unwrap();
        assert_eq!(owner.0, owner_key(&folder).unwrap().verifying_key().to_bytes());
        let variables = variables(&folder.join(SECURE_BOOT)).unwrap();
        let db = certificate(&folder.join("db.crt")).unwrap();
        assert_eq!(variables.db_entries().unwrap()[0].data, db.der());

        fs::remove_file(folder.join(RELEASE_KEY)).unwrap();
        let error = generate(&folder, "test").unwrap_err();
        assert!(error.what.contains("never overwritten"), "{error}");
        assert!(!folder.join(RELEASE_KEY).exists());
        assert!(release_key(&folder).unwrap_err().what.contains("cannot read"));
    }

    #[test]
    fn malformed_files() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "{}", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(dir.path().join(RELEASE_KEY), text).unwrap();
            fs::write(dir.path().join(SECURE_BOOT), text).unwrap();
            assert!(release_key(dir.path()).is_err() && variables(&dir.path().join(SECURE_BOOT)).is_err());
        }
    }
}
