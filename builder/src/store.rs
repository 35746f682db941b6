//! The content store: packages and indices by SHA-256, in the user's cache folder.
//!
//! ```text
//! ~/.cache/vitrine/                  XDG_CACHE_HOME/vitrine, or what VITRINE_CACHE says
//!   sha256/ab/abcd…                  whole, checked files; a name here is a promise about the bytes
//!   partial/abcd….part               downloads under way, resumed later
//!   bad/abcd…                        files that no longer had their hash, set aside
//!   cache/layer/abcd…                derived data: 32 bytes SHA-256 of the rest, then the rest
//! ```
//! Nothing half-written gets a final name: bytes go to a scratch file, then it is renamed. Packages are synced before;
//! derived data is not: what a power cut leaves of it does not have its hash, and is made again.

use crate::hashing::Hashing;
use crate::lock::LockedPackage;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::Content;

/// Largest file read back from the store: an index or a package, see [`crate::lock::PACKAGE_LIMIT`].
const FILE_LIMIT: u64 = 1 << 30;
/// Bytes of a stored file that are read at once.
const CHUNK: usize = 256 << 10;

/// Age from which on a half-written file is nobody's any more; builds take seconds.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder of content. Several programs may use one at the same time.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store, making its folders. `dir` wins over `VITRINE_CACHE`, `XDG_CACHE_HOME` and `HOME`.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        let root = match dir {
            Some(dir) => dir.to_path_buf(),
            None => default_root()?,
        };
        for part in ["sha256", "partial", "bad", "cache"] {
            fs::create_dir_all(root.join(part)).map_err(|e| failed("store folder cannot be made", &root, &e))?;
        }
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a file with this hash lies, if it does. The bytes are not checked here: [`Self::read`] does.
    pub fn path(&self, sha: &Sha256) -> Option<PathBuf> {
        let path = self.place(sha);
        path.is_file().then_some(path)
    }

    /// The bytes with this hash.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Host`] when the store lacks it, [`vitrine_attest::Blame::Artefact`] when the file
    /// has other bytes; that file is then set aside, so that the next build with a network fetches it again.
    pub fn read(&self, sha: &Sha256) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream(sha, &mut |reader| reader.read_to_end(&mut bytes).map(drop).map_err(|e| self.unreadable(sha, &e)))?;
        Ok(bytes)
    }

    /// Hands a reader over the bytes with this hash to `read`, so that they need not all be in memory. Whether they had
    /// the hash is known at their end: what `read` has made counts only when this succeeds.
    ///
    /// # Errors
    /// As [`Self::read`], and what `read` says; that the file was altered goes first.
    pub fn stream(&self, sha: &Sha256, read: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>) -> Result<()> {
        let file = File::open(self.place(sha)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::host(
                format!("{} is not in the store {}", sha.short(), self.root.display()),
                "run the same command without `--offline`",
            ),
            _ => self.unreadable(sha, &e),
        })?;
        let mut reader = BufReader::with_capacity(CHUNK, Hashing::new(file.take(FILE_LIMIT)));
        let said = read(&mut reader);
        io::copy(&mut reader, &mut io::sink()).map_err(|e| self.unreadable(sha, &e))?;
        let found = reader.into_inner().finish();
        if found != *sha {
            self.set_aside(sha);
            return Err(Error::artefact(
                format!("stored file was altered: expected {sha}, got {found}"),
                "it is set aside; run the same command without `--offline` to fetch it again",
            ));
        }
        said
    }

    fn unreadable(&self, sha: &Sha256, error: &io::Error) -> Error {
        failed("stored file cannot be read", &self.place(sha), error)
    }

    /// [`Self::read`] with errors that name the package.
    pub fn read_package(&self, package: &LockedPackage) -> Result<Vec<u8>> {
        self.read(&package.sha256).map_err(|e| e.within(format!("package {}", package.label())))
    }

    /// Stores bytes, and says under which hash.
    pub fn put(&self, bytes: &[u8]) -> Result<Sha256> {
        let sha = Sha256::of(bytes);
        let path = self.place(&sha);
        if !path.is_file() {
            make_parent(&path)?;
            write_atomically(&path, bytes)?;
        }
        Ok(sha)
    }

    /// Takes a finished file of [`Self::partial`] in. The caller has checked its hash.
    pub(crate) fn import(&self, part: &Path, sha: &Sha256) -> Result<()> {
        let path = self.place(sha);
        make_parent(&path)?;
        fs::rename(part, &path).map_err(|e| failed("download cannot be moved into the store", &path, &e))
    }

    /// Where a download of this file collects.
    pub(crate) fn partial(&self, sha: &Sha256) -> PathBuf {
        self.root.join("partial").join(format!("{sha}.part"))
    }

    /// Moves a file that does not have its hash out of the way; it stays to be looked at.
    pub(crate) fn set_aside(&self, sha: &Sha256) {
        let from = self.place(sha);
        if fs::rename(&from, self.root.join("bad").join(sha.to_string())).is_err() {
            let _ = fs::remove_file(&from);
        }
    }

    /// Derived data under a key. What was altered is removed.
    ///
    /// `kind` is a folder name of ours (`layer`), `key` a hash over everything the data depends on.
    pub fn cache_get(&self, kind: &str, key: &Sha256) -> Cached {
        let path = self.cache_place(kind, key);
        match read_framed(&path) {
            Ok(Some(content)) => Cached::Found(content),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Cached::Missing,
            _ => {
                let _ = fs::remove_file(&path);
                Cached::Damaged
            }
        }
    }

    /// Keeps derived data. It may be dropped at any time.
    pub fn cache_put(&self, kind: &str, key: &Sha256, content: &Content) -> Result<()> {
        let path = self.cache_place(kind, key);
        make_parent(&path)?;
        replace(&path, Durable::No, &[content.sha256.as_bytes(), &content.bytes])
    }

    /// Takes away what killed builds have left half-written among the derived data, a day later: until then it may be
    /// another build's that is under way. Nobody reads such a file in any case.
    pub fn sweep(&self) {
        let inside = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in inside(&self.root.join("cache")).flat_map(|kind| inside(&kind.path())) {
            let scratch = entry.file_name().to_string_lossy().starts_with('.');
            let modified = || entry.metadata().and_then(|metadata| metadata.modified()).ok();
            // a clock that was set back: not old
            if scratch && modified().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn place(&self, sha: &Sha256) -> PathBuf {
        let name = sha.to_string();
        self.root.join("sha256").join(&name[..2]).join(name)
    }

    fn cache_place(&self, kind: &str, key: &Sha256) -> PathBuf {
        self.root.join("cache").join(kind).join(key.to_string())
    }
}

/// What the store has of derived data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    Found(Content),
    Missing,
    /// There was something, and it did not have its hash.
    Damaged,
}

impl Cached {
    pub fn found(self) -> Option<Content> {
        match self {
            Self::Found(content) => Some(content),
            Self::Missing | Self::Damaged => None,
        }
    }
}

/// Hash, then bytes; `None` when they do not belong together.
fn read_framed(path: &Path) -> io::Result<Option<Content>> {
    let mut file = File::open(path)?.take(FILE_LIMIT);
    let mut digest = [0; 32];
    file.read_exact(&mut digest).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // the length is a hint: what is read is what is hashed
    let length = file.get_ref().metadata()?.len().min(FILE_LIMIT);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    let content = Content::new(bytes);
    Ok((content.sha256.0 == digest).then_some(content))
}

fn default_root() -> Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = named("VITRINE_CACHE") {
        return Ok(dir);
    }
    // XDG Base Directory Specification: a relative XDG_CACHE_HOME is to be ignored
    let cache = named("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    let cache = cache.or_else(|| named("HOME").map(|home| home.join(".cache")));
    cache.map(|dir| dir.join("vitrine")).ok_or_else(|| {
        Error::host(
            "there is no cache folder: HOME is not set",
            "name a folder with the environment variable VITRINE_CACHE",
        )
    })
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| failed("folder cannot be made", parent, &e))
}

/// Writes a scratch file in the same folder, syncs it, renames it over `path`. On failure nothing stays behind.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, Durable::Yes, &[bytes])
}

/// Whether bytes have to outlive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durable {
    Yes,
    No,
}

fn replace(path: &Path, durable: Durable, parts: &[&[u8]]) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let scratch = path.with_file_name(format!(".{name}.{}.{number}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&scratch)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        if durable == Durable::Yes {
            file.sync_all()?;
        }
        fs::rename(&scratch, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&scratch);
        failed("file cannot be written", path, &e)
    })
}

/// A failure of the file system, with what helps against it.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: make room, or name another folder with VITRINE_CACHE; what is complete is kept"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "name a folder that you may write to, for the store with VITRINE_CACHE"
        }
        _ => "check the folder and the disk, then run the same command again",
    };
    Error::host(format!("{what}: {}: {error}", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::Blame;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(dir.path())).unwrap();
        (dir, store)
    }

    #[test]
    fn put_and_read() {
        let (_dir, store) = store();
        let sha = store.put(b"abc").unwrap();
        assert_eq!(sha, Sha256::of(b"abc"));
        assert_eq!(store.put(b"abc").unwrap(), sha);
        assert_eq!(store.read(&sha).unwrap(), b"abc");
        assert!(store.path(&sha).is_some() && store.path(&Sha256::ZERO).is_none());
        assert_eq!(store.read(&Sha256::ZERO).unwrap_err().blame, Blame::Host);
    }

    #[test]
    fn a_flipped_byte_names_the_package_and_is_set_aside() {
        let (_dir, store) = store();
        let mut package = crate::lock::tests::sample().packages.remove(0);
        package.sha256 = store.put(b"package").unwrap();
        fs::write(store.path(&package.sha256).unwrap(), b"pAckage").unwrap();
        let error = store.read_package(&package).unwrap_err();
        assert_eq!(error.blame, Blame::Artefact);
        assert!(error.what.contains("libc6") && error.what.contains(&package.sha256.to_string()), "{error}");
        assert!(store.path(&package.sha256).is_none());
        assert_eq!(fs::read_dir(store.root().join("bad")).unwrap().count(), 1);
        store.put(b"package").unwrap();
        assert!(store.read_package(&package).is_ok());
    }

    #[test]
    fn derived_data_is_checked() {
        let (_dir, store) = store();
        let (key, data) = (Sha256::of(b"key"), Content::new(b"data".to_vec()));
        assert_eq!(store.cache_get("layer", &key), Cached::Missing);
        store.cache_put("layer", &key, &data).unwrap();
        assert_eq!(store.cache_get("layer", &key), Cached::Found(data.clone()));
        assert_eq!(store.cache_get("other", &key), Cached::Missing);
        let path = store.cache_place("layer", &key);
        let good = fs::read(&path).unwrap();
        let flipped = |at: usize| good.iter().enumerate().map(|(n, b)| if n == at { b ^ 1 } else { *b }).collect();
        let cut = (0..good.len()).map(|length| good[..length].to_vec());
        for bad in cut.chain((0..good.len()).map(flipped)).chain([[&good[..], b"x"].concat()]) {
            fs::write(&path, &bad).unwrap();
            assert_eq!(store.cache_get("layer", &key), Cached::Damaged, "{bad:?}");
            assert!(!path.exists());
        }
        store.cache_put("layer", &key, &data).unwrap();
        assert_eq!(store.cache_get("layer", &key), Cached::Found(data));
    }

    #[test]
    fn what_killed_builds_left_goes_when_it_is_old() {
        let (_dir, store) = store();
        store.cache_put("layer", &Sha256::ZERO, &Content::new(b"data".to_vec())).unwrap();
        let folder = store.root().join("cache/layer");
        for (name, age) in [(".old", ABANDONED * 2), (".young", ABANDONED / 2)] {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
        File::open(store.cache_place("layer", &Sha256::ZERO)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        store.sweep();
        assert!(!folder.join(".old").exists() && folder.join(".young").exists());
        assert!(matches!(store.cache_get("layer", &Sha256::ZERO), Cached::Found(_)));
    }

    /// What was read is not believed before the end has shown that it is not altered, and that goes before what a
    /// reader of altered bytes has to say.
    #[test]
    fn a_stream_is_checked_at_its_end() {
        let (_dir, store) = store();
        let sha = store.put(&[7; 1 << 20]).unwrap();
        let mut count = 0;
        let two = |reader: &mut dyn BufRead| reader.read_exact(&mut [0; 2]).map_err(|e| Error::bug(e.to_string()));
        store.stream(&sha, &mut |reader| two(reader).map(|()| count += 2)).unwrap();
        assert_eq!(count, 2);
        let refuse = |_: &mut dyn BufRead| Err(Error::input("not mine", ""));
        assert_eq!(store.stream(&sha, &mut { refuse }).unwrap_err().what, "not mine");
        let path = store.path(&sha).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = store.stream(&sha, &mut { refuse }).unwrap_err();
        assert!(error.blame == Blame::Artefact && error.what.contains("was altered"), "{error}");
        assert!(store.path(&sha).is_none());
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let (dir, _store) = store();
        let target = dir.path().join("folder");
        fs::create_dir_all(target.join("full")).unwrap();
        assert_eq!(write_atomically(&target, b"x").unwrap_err().blame, Blame::Host);
        assert!(!fs::read_dir(dir.path()).unwrap().any(|e| e.unwrap().file_name().to_string_lossy().starts_with('.')));
        let error = failed("x", &target, &io::Error::from(io::ErrorKind::StorageFull));
        assert!(error.hint.contains("disk is full"));
    }
}
