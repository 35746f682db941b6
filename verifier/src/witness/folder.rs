//! A witness's folder: `witness.key` (0600), `witness.pub`, `state.json`, `lock`; and, where it signs with ML-DSA-44, too,
//! `witness-ml-dsa.key` (0600) and `witness-ml-dsa.pub` ([`super::ml_dsa`]).
//!
//! Who signs or changes what is signed holds the lock (flock(2)) from its start to its end: two witnesses with one key and
//! two memories could sign two histories. The state is replaced whole, written beside it and synchronised first, its folder
//! after that, so that it is always the old or the new one, whenever power fails.
//!
//! A witness without its state never begins anew: it would sign any history, also a second one. So `init` writes an
//! empty state, and one that is missing later is a fault.

use super::book::{Book, BOOK_LIMIT};
use super::ml_dsa;
use crate::{files, secret_key};
use ed25519_dalek::SigningKey;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::{Error, Result};

const KEY: &str = "witness.key";
const PUBLIC: &str = "witness.pub";
const STATE: &str = "state.json";
const PART: &str = "state.json.part";
const LOCK: &str = "lock";
/// Largest key file that is read; ours have 120 bytes.
const KEY_LIMIT: usize = 4096;

/// Its files can be read; nothing is locked.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// Nobody else signs with this key or changes its state, as long as this value lives.
#[derive(Debug)]
pub struct Locked {
    folder: Folder,
    _lock: File,
}

impl Folder {
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes the folder where it is missing, a key, and an empty state. Gives the public key.
    ///
    /// # Errors
    /// When one of the files is there already: nothing is overwritten.
    pub fn init(&self, name: &str) -> Result<NoteKey> {
        self.make(name, None)
    }

    /// The same, with a key of ML-DSA-44 beside the other, under the same name. Gives both.
    ///
    /// # Errors
    /// As for [`Folder::init`].
    #[cfg(feature = "ml-dsa")]
    pub fn init_ml_dsa(&self, name: &str) -> Result<[NoteKey; 2]> {
        let second = ml_dsa::Second::new(name)?;
        Ok([self.make(name, Some(&second))?, second.key().clone()])
    }

    fn make(&self, name: &str, second: Option<&ml_dsa::Second>) -> Result<NoteKey> {
        let path = &self.path;
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| failed(path, &e))?;
        let _lock = self.locked()?;
        for file in [KEY, PUBLIC, STATE, ml_dsa::KEY, ml_dsa::PUBLIC] {
            if path.join(file).symlink_metadata().is_ok() {
                let what = format!("{} is there already", path.join(file).display());
                return Err(Error::input(what, "choose another folder: a witness's key and state are never replaced"));
            }
        }
        let secret = secret_key::new()?;
        let key = NoteKey::of_kind(Kind::Cosignature, name, secret.verifying_key())?;
        let pem = secret_key::to_pem(&secret)?;
        // the state last: without it nothing is served
        self.create(KEY, 0o600, pem.as_bytes())?;
        self.create(PUBLIC, 0o644, format!("{key}\n").as_bytes())?;
        if let Some(second) = second {
            self.create(ml_dsa::KEY, 0o600, second.to_pem()?.as_bytes())?;
            self.create(ml_dsa::PUBLIC, 0o644, format!("{}\n", second.key()).as_bytes())?;
        }
        self.create(STATE, 0o600, &Book::default().to_bytes()?)?;
        self.synchronise()?;
        Ok(key)
    }

    /// # Errors
    /// When the folder is no witness's, or somebody else works with it.
    pub fn lock(&self) -> Result<Locked> {
        self.key()?;
        Ok(Locked { folder: self.clone(), _lock: self.locked()? })
    }

    /// The public key.
    ///
    /// # Errors
    /// When there is none.
    pub fn key(&self) -> Result<NoteKey> {
        let path = self.path.join(PUBLIC);
        let hint = "name a folder that `vitrine-verify witness init` has made";
        let bytes = files::read(&path, KEY_LIMIT).map_err(|e| Error::input(e.what, hint))?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default(); // what is not text is no key either
        let key = NoteKey::of_log(text.strip_suffix('\n').unwrap_or(text));
        key.ok()
            .filter(|key| key.kind() == Kind::Cosignature)
            .ok_or_else(|| Error::input(format!("{} is no key of a witness", path.display()), hint))
    }

    /// The public key of ML-DSA-44, if the witness has one.
    ///
    /// # Errors
    /// When it has one that cannot be read, or this program knows no such keys.
    pub fn second_key(&self) -> Result<Option<NoteKey>> {
        if [ml_dsa::KEY, ml_dsa::PUBLIC].iter().all(|file| self.path.join(file).symlink_metadata().is_err()) {
            return Ok(None);
        }
        let key = ml_dsa::key(&self.path)?;
        if key.name() != self.key()?.name() {
            let what = format!("{PUBLIC} and {} in {} have two names", ml_dsa::PUBLIC, self.path.display());
            return Err(Error::input(what, "restore the files that `witness init` has made"));
        }
        Ok(Some(key))
    }

    /// The state as it is now; a witness that runs replaces it whole.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read(&self) -> Result<Book> {
        let path = self.path.join(STATE);
        let read = files::read(&path, BOOK_LIMIT).map_err(|e| e.what);
        let book =
            read.and_then(|bytes| Book::parse(&bytes).map_err(|why| format!("{} is damaged: {why}", path.display())));
        book.map_err(|what| {
            let hint =
                "never go on with an older or an empty state: a witness that forgot can be made to sign a fork; \
                make a new witness with a new key and name, and tell those who trust this one";
            Error::input(what, hint)
        })
    }

    fn locked(&self) -> Result<File> {
        let mode = std::fs::metadata(&self.path).map_err(|e| failed(&self.path, &e))?.mode();
        if mode & 0o022 != 0 {
            let what = format!("{} can be written by others (mode {:04o})", self.path.display(), mode & 0o7777);
            return Err(Error::input(
                what,
                format!("run `chmod 700 {}`, and see that nobody was there", self.path.display()),
            ));
        }
        let path = self.path.join(LOCK);
        files::try_lock(&path).map_err(|e| failed(&path, &e))?.ok_or_else(|| {
            Error::input(
                format!("{}: another witness works with this folder", self.path.display()),
                "end it first; two witnesses with one key could sign two histories",
            )
        })
    }

    fn create(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let create = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        create().map_err(|e| failed(&path, &e))
    }

    fn synchronise(&self) -> Result<()> {
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(|e| failed(&self.path, &e))
    }
}

impl Locked {
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The secret half of the folder's key.
    ///
    /// # Errors
    /// When it is not that, or others can read it.
    pub fn secret(&self) -> Result<SigningKey> {
        let path = self.folder.path.join(KEY);
        let hint = "take the file that `witness init` has made";
        let secret = secret_key::read(&path, hint)?;
        if *self.folder.key()?.key() != secret.verifying_key().into() {
            return Err(Error::input(
                format!("{KEY} and {PUBLIC} in {} do not belong together", self.folder.path.display()),
                hint,
            ));
        }
        Ok(secret)
    }

    /// What signs with ML-DSA-44, if the witness does.
    ///
    /// # Errors
    /// As for [`Folder::second_key`], and as for [`Locked::secret`].
    pub fn second(&self) -> Result<Option<ml_dsa::Second>> {
        let key = self.folder.second_key()?;
        key.map(|key| ml_dsa::Second::read(&self.folder.path, key)).transpose()
    }

    /// # Errors
    /// As for [`Folder::read`].
    pub fn read(&self) -> Result<Book> {
        self.folder.read()
    }

    /// Replaces the state. When this returns it outlasts a power cut; when it fails, nobody knows whether it does: stop then.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, book: &Book) -> Result<()> {
        let bytes = book.to_bytes()?;
        if bytes.len() > BOOK_LIMIT {
            return Err(Error::bug(format!("the state has {} bytes", bytes.len())));
        }
        let (part, path) = (self.folder.path.join(PART), self.folder.path.join(STATE));
        let write = || {
            // one that was left by a witness that was killed is overwritten: nobody else writes here
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, &path)
        };
        write().map_err(|e| failed(&path, &e))?;
        self.folder.synchronise()
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::host(format!("{}: {error}", path.display()), "see that the folder is yours and the disk has room")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const NAME: &str = "witness.example/w1";

    fn made() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::at(&place.path().join("a/w"));
        folder.init(NAME).unwrap();
        (place, folder)
    }

    #[test]
    fn made_once() {
        let (_place, folder) = made();
        let mode = |name: &str| std::fs::metadata(folder.path.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!([KEY, PUBLIC, STATE].map(mode), [0o600, 0o644, 0o600]);
        let key = folder.key().unwrap();
        assert_eq!((key.name(), key.kind()), (NAME, Kind::Cosignature));
        for file in [KEY, PUBLIC, STATE] {
            assert!(folder.init(NAME).unwrap_err().what.contains("already"));
            std::fs::remove_file(folder.path.join(file)).unwrap();
        }
        assert_ne!(folder.init(NAME).unwrap(), key);
        assert!(Folder::at(&folder.path.join("b")).init("a b").is_err());
    }

    #[test]
    fn one_at_a_time() {
        let (_place, folder) = made();
        let locked = folder.lock().unwrap();
        assert!(folder.lock().unwrap_err().what.contains("another witness"));
        assert!(folder.read().is_ok(), "reading needs no lock");
        drop(locked);
        assert!(folder.lock().is_ok());
        std::fs::set_permissions(&folder.path, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(folder.lock().unwrap_err().what.contains("0770"));
    }

    #[test]
    fn a_state_that_is_not_whole_is_not_used_and_not_touched() {
        let (_place, folder) = made();
        let path = folder.path.join(STATE);
        let locked = folder.lock().unwrap();
        locked.write(&Book::default()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for bytes in [&b""[..], b"{}", &whole[..20], br#"{"v":2}"#] {
            std::fs::write(&path, bytes).unwrap();
            let error = locked.read().unwrap_err();
            assert!(error.what.contains("damaged") && error.hint.contains("fork"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        std::fs::remove_file(&path).unwrap();
        assert!(locked.read().unwrap_err().hint.contains("fork"));
    }

    #[test]
    fn a_part_that_was_left_does_not_stop_the_next() {
        let (_place, folder) = made();
        std::fs::write(folder.path.join(PART), b"half").unwrap();
        folder.lock().unwrap().write(&Book::default()).unwrap();
        assert!(folder.read().is_ok() && !folder.path.join(PART).exists());
    }

    #[test]
    fn keys_have_to_fit() {
        let (_place, folder) = made();
        let (_other_place, other) = made();
        let locked = folder.lock().unwrap();
        locked.secret().unwrap();
        std::fs::set_permissions(folder.path.join(KEY), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(locked.secret().unwrap_err().what.contains("0640"));
        std::fs::copy(other.path.join(KEY), folder.path.join(KEY)).unwrap();
        std::fs::set_permissions(folder.path.join(KEY), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(locked.secret().unwrap_err().what.contains("do not belong together"));
        std::fs::write(folder.path.join(PUBLIC), b"x").unwrap();
        assert!(folder.lock().unwrap_err().what.contains("no key of a witness"));
    }
}
