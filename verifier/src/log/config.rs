//! Name and keys of a log.
//!
//! ```json
//! {"keys":[{"file":"log.key","key":"log.example/vitrine+1b4a…+ASm1…"}],"origin":"log.example/vitrine","v":1}
//! ```

use super::disk::{self, Disk};
use super::Folder;
use crate::files;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::note::{Checkpoint, Note, NOTE_LIMIT};
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{private_key, Error, Result};

const VERSION: u32 = 1;
const CONFIG_LIMIT: usize = 64 << 10;
/// Most keys that sign at once: two, while one follows the other.
const KEYS_LIMIT: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    v: u32,
    /// The log's address without scheme: first line of its checkpoints, name of its keys.
    pub origin: String,
    /// Each signs every checkpoint; the newest is the last.
    pub keys: Vec<KeyFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// In the log's folder.
    pub file: String,
    /// Its public half, as a verifier key.
    pub key: String,
}

impl Config {
    /// # Errors
    /// When this is no folder of a log.
    pub fn read(folder: &Folder) -> Result<Self> {
        let path = folder.config();
        let bytes = files::read(&path, CONFIG_LIMIT).map_err(|e| {
            Error::input(e.what, "give the folder of a log, or make one with `vitrine-verify log init`")
        })?;
        let wrong = |what: String| {
            Error::input(format!("{}: {what}", path.display()), "this file is written by `log init`: restore it")
        };
        let config: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        if config.v != VERSION {
            return Err(wrong(format!("version {} is unknown", config.v)));
        }
        if config.keys.is_empty() || config.keys.len() > KEYS_LIMIT {
            return Err(wrong(format!("it names {} keys", config.keys.len())));
        }
        for key in config.public()? {
            if key.name() != config.origin {
                return Err(wrong(format!("{} is not a key of {}", key.name(), config.origin)));
            }
        }
        Ok(config)
    }

    pub(super) fn write(&self, folder: &Folder, disk: &mut Disk<'_>) -> Result<()> {
        disk.replace(&folder.config(), &to_canonical_json(self)?, 0o644)
    }

    /// # Errors
    /// When one cannot be read.
    pub fn public(&self) -> Result<Vec<NoteKey>> {
        self.keys.iter().map(|key| key.key.parse::<NoteKey>().map_err(|e| e.within("log.json"))).collect()
    }

    /// # Errors
    /// When one is not there, can be read by others, or is not the half of what stands beside it.
    pub(super) fn secrets(&self, folder: &Folder) -> Result<Vec<SigningKey>> {
        self.keys.iter().zip(self.public()?).map(|(file, public)| secret(folder, file, &public)).collect()
    }
}

fn secret(folder: &Folder, file: &KeyFile, public: &NoteKey) -> Result<SigningKey> {
    let path = folder.path().join(&file.file);
    let pem = files::read_secret(&path, TEXT_LIMIT)?;
    let key = private_key::ed25519(&pem, path.display(), "restore the log's key")?;
    if key.verifying_key() != *public.key() {
        return Err(Error::input(
            format!("{} is not the private half of {}", path.display(), file.key),
            "restore the log's key",
        ));
    }
    Ok(key)
}

/// Whether a checkpoint is of a log without entries.
fn is_empty(note: &[u8]) -> bool {
    Note::parse(note).and_then(|note| Checkpoint::parse(note.text())).is_ok_and(|checkpoint| checkpoint.size == 0)
}

/// A new private key in a file of the folder, and its public half beside it with `.pub`.
pub(super) fn new_key(folder: &Folder, disk: &mut Disk<'_>, origin: &str, file: &str) -> Result<KeyFile> {
    let mut seed = zeroize::Zeroizing::new(crate::server::random()?);
    let secret = SigningKey::from_bytes(&seed);
    zeroize::Zeroize::zeroize(&mut *seed);
    let public = NoteKey::new(origin, secret.verifying_key())?;
    let pem = secret.to_pkcs8_pem(LineEnding::LF).map_err(|_| Error::bug("a key cannot be written"))?;
    disk.replace(&folder.path().join(file), pem.as_bytes(), 0o600)?;
    disk.replace(&folder.path().join(file).with_extension("pub"), format!("{public}\n").as_bytes(), 0o644)?;
    Ok(KeyFile { file: file.into(), key: public.to_string() })
}

/// Makes the folder of a log without entries; `witnesses` as [`super::Quorum`] reads them.
///
/// # Errors
/// When there is a log already, the name cannot be one, or the disk fails.
pub fn init(path: &Path, origin: &str, witnesses: Option<&[u8]>) -> Result<Config> {
    let folder = Folder::new(path);
    if !origin.contains('/') || origin.contains("://") || origin.ends_with('/') {
        return Err(Error::input(
            format!("\"{origin}\" is no name of a log"),
            "give the address at which it will be served, without scheme, such as log.example/vitrine",
        ));
    }
    for made in [folder.work(), folder.public()] {
        std::fs::create_dir_all(&made).map_err(|e| disk::failed(&made, &e))?;
    }
    let _lock = disk::lock(&folder)?;
    // without its log.json, and without entries, it is one that somebody was killed while making
    let begun = |path: PathBuf| !path.exists() || files::read(&path, NOTE_LIMIT).is_ok_and(|note| is_empty(&note));
    if folder.config().exists() || !begun(folder.commit()) || !begun(folder.checkpoint()) {
        return Err(Error::input(
            format!("{} is a log already", path.display()),
            "choose another folder: a log is never begun anew under its name",
        ));
    }
    let mut disk = Disk::new(&folder);
    let key = new_key(&folder, &mut disk, origin, "log.key")?;
    let config = Config { v: VERSION, origin: origin.into(), keys: vec![key] };
    if let Some(witnesses) = witnesses {
        super::Quorum::parse(witnesses, &config)?;
        disk.replace(&folder.witnesses(), witnesses, 0o644)?;
    }
    let secrets = config.secrets(&folder)?;
    let note = super::writer::signed(&config, &secrets, 0, &vitrine_attest::merkle::root_of_nothing())?;
    disk.replace(&folder.commit(), note.as_bytes(), 0o644)?;
    disk.replace(&folder.checkpoint(), note.as_bytes(), 0o644)?;
    disk.sync()?;
    // last: with it, this is a log
    config.write(&folder, &mut disk)?;
    disk.sync()?;
    disk::sync_folder(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    Ok(config)
}
