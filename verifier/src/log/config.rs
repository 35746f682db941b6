//! Name and keys of a log.
//!
//! ```json
//! {"keys":[{"file":"log.key","key":"log.example/vitrine+1b4a…+ASm1…"}],"origin":"log.example/vitrine","v":1}
//! ```

use super::commit::{Commit, COMMIT_LIMIT};
use super::disk::{self, Disk};
use super::Folder;
use crate::{files, secret_key};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::merkle::root_of_nothing;
use vitrine_attest::note::{self, Checkpoint, Note};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result, Sha256};

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
    /// Where it lies; none: in the folder itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketAt>,
}

/// A place in object storage that speaks S3.
///
/// ```json
/// {"endpoint":"https://s3.eu-central-1.amazonaws.com","name":"transparency","prefix":"vitrine/","region":"eu-central-1"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketAt {
    /// Scheme, host and port. The bucket's name follows in the path.
    pub endpoint: String,
    pub name: String,
    /// Before the names of all objects: empty, or with a final slash.
    pub prefix: String,
    pub region: String,
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

    /// Of a new log, with its witnesses written down, if it has some.
    pub(super) fn begin(
        folder: &Folder,
        disk: &mut Disk<'_>,
        origin: &str,
        key: KeyFile,
        bucket: Option<BucketAt>,
        witnesses: Option<&[u8]>,
    ) -> Result<Self> {
        let config = Self { v: VERSION, origin: origin.into(), keys: vec![key], bucket };
        if let Some(witnesses) = witnesses {
            super::Quorum::parse(witnesses, &config)?;
            disk.replace(&folder.witnesses(), witnesses, 0o644)?;
        }
        Ok(config)
    }

    /// Written last: with it, the folder is a log.
    pub(super) fn complete(&self, folder: &Folder, disk: &mut Disk<'_>) -> Result<()> {
        self.write(folder, disk)?;
        disk.sync()?;
        let above = folder.path().parent().filter(|parent| !parent.as_os_str().is_empty());
        disk::sync_folder(above.unwrap_or(Path::new(".")))
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

    /// A note of this text with the log's own signatures.
    ///
    /// # Errors
    /// When the log's name cannot be one.
    pub(super) fn note(&self, secrets: &[SigningKey], text: &str) -> Result<String> {
        let lines: String =
            secrets.iter().map(|key| note::sign(text, &self.origin, key, None)).collect::<Result<_>>()?;
        Ok(format!("{text}\n{lines}"))
    }

    /// A checkpoint with the log's own signatures.
    ///
    /// # Errors
    /// As there.
    pub(super) fn checkpoint(&self, secrets: &[SigningKey], size: u64, root: &Sha256) -> Result<String> {
        self.note(secrets, &Checkpoint { origin: self.origin.clone(), size, root: *root }.to_text())
    }
}

fn secret(folder: &Folder, file: &KeyFile, public: &NoteKey) -> Result<SigningKey> {
    let path = folder.path().join(&file.file);
    let key = secret_key::read(&path, "restore the log's key")?;
    if *public.key() != key.verifying_key().into() {
        return Err(Error::input(
            format!("{} is not the private half of {}", path.display(), file.key),
            "restore the log's key",
        ));
    }
    Ok(key)
}

#[cfg(not(feature = "object-storage"))]
pub(super) fn no_object_storage(folder: &Folder) -> Error {
    Error::input(
        format!(
            "the log of {} lies in a bucket, and this program was built without object storage",
            folder.path().display()
        ),
        "build vitrine-verify with `--features object-storage`",
    )
}

pub(super) fn already(folder: &Folder) -> Error {
    Error::input(
        format!("{} is a log already", folder.path().display()),
        "choose another folder: a log is never begun anew under its name",
    )
}

/// A log's name has to be one.
pub(super) fn check_origin(origin: &str) -> Result<()> {
    if !origin.contains('/') || origin.contains("://") || origin.ends_with('/') {
        return Err(Error::input(
            format!("\"{origin}\" is no name of a log"),
            "give the address at which it will be served, without scheme, such as log.example/vitrine",
        ));
    }
    Ok(())
}

/// Whether a checkpoint is of a log without entries.
fn is_empty(note: &[u8]) -> bool {
    Note::parse(note).and_then(|note| Checkpoint::parse(note.text())).is_ok_and(|checkpoint| checkpoint.size == 0)
}

/// Whether this is what a log promises that has no entries yet.
fn promises_nothing(record: &[u8]) -> bool {
    Commit::parse(record).is_ok_and(|commit| is_empty(commit.note.as_bytes()))
}

/// A private key that is in the folder. None: there is no such file.
#[cfg(feature = "object-storage")]
pub(super) fn secret_of(folder: &Folder, origin: &str, file: &str) -> Result<Option<KeyFile>> {
    let path = folder.path().join(file);
    if !path.exists() {
        return Ok(None);
    }
    let key = secret_key::read(&path, "remove it")?;
    Ok(Some(KeyFile { file: file.into(), key: NoteKey::new(origin, key.verifying_key())?.to_string() }))
}

/// A new private key in a file of the folder, and its public half beside it with `.pub`.
pub(super) fn new_key(folder: &Folder, disk: &mut Disk<'_>, origin: &str, file: &str) -> Result<KeyFile> {
    let secret = secret_key::new()?;
    let public = NoteKey::new(origin, secret.verifying_key())?;
    let pem = secret_key::to_pem(&secret)?;
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
    check_origin(origin)?;
    for made in [folder.work(), folder.public()] {
        std::fs::create_dir_all(&made).map_err(|e| disk::failed(&made, &e))?;
    }
    let _lock = disk::lock(&folder)?;
    // without its log.json, and without entries, it is one that somebody was killed while making
    let begun = |path: PathBuf, empty: fn(&[u8]) -> bool| {
        !path.exists() || files::read(&path, COMMIT_LIMIT).is_ok_and(|bytes| empty(&bytes))
    };
    if folder.config().exists() || !begun(folder.commit(), promises_nothing) || !begun(folder.checkpoint(), is_empty) {
        return Err(already(&folder));
    }
    let mut disk = Disk::new(&folder);
    let key = new_key(&folder, &mut disk, origin, "log.key")?;
    let config = Config::begin(&folder, &mut disk, origin, key, None, witnesses)?;
    let secrets = config.secrets(&folder)?;
    let note = config.checkpoint(&secrets, 0, &root_of_nothing())?;
    disk.replace(&folder.checkpoint(), note.as_bytes(), 0o644)?;
    disk.replace(&folder.commit(), &Commit { note, stage: None }.to_bytes(), 0o644)?;
    disk.sync()?;
    config.complete(&folder, &mut disk)?;
    Ok(config)
}
