//! The state file: where it is, its lock, and how it is replaced.
//!
//! Beside the file stands another one, `….lock`, that is locked with flock(2) and never replaced: the file itself is, at
//! each change, by a whole new one (written beside it, synchronised, renamed, the folder synchronised), so that it is
//! always the old or the new one, whenever power fails. The lock is held for the milliseconds of judging, never
//! while a server is waited for.

use super::book::{Book, Unusable, BOOK_LIMIT};
use crate::files;
use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// Others hold the lock for milliseconds; a file system that hangs would hold it for ever.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// In the folder for state.
const NAME: &str = "vitrine/verify-state.json";
const OTHER_PLACE: &str = "name another place with --state FILE, or go without memory with --no-state";

/// The file that the person named, or the default place of this process.
///
/// # Errors
/// When neither is known.
pub fn place(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => default_place(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")),
    }
}

/// `$XDG_STATE_HOME/vitrine/verify-state.json`, or that under `$HOME/.local/state` (XDG Base Directory Specification
/// 0.8: a relative path counts as none).
///
/// # Errors
/// When neither is set.
fn default_place(state_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute(state_home).or_else(|| absolute(home).map(|home| home.join(".local/state")));
    folder
        .map(|folder| folder.join(NAME))
        .ok_or_else(|| Error::input("there is no place to remember servers: HOME is not set", OTHER_PLACE))
}

/// A state file that can be used, or is not there yet.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    lock: PathBuf,
}

/// The lock on it; it ends with this value, however that ends.
#[derive(Debug)]
pub struct Locked<'s> {
    store: &'s Store,
    _lock: File,
}

impl Store {
    /// Makes the folder, for this user alone, where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(path: &Path) -> Result<Self> {
        // a link stays a link: what it leads to is replaced
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| failed(folder, &e))?;
        }
        let mut lock = path.clone().into_os_string();
        lock.push(".lock");
        Ok(Self { path, lock: lock.into() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for its turn, then keeps all other verifiers out.
    ///
    /// # Errors
    /// When the lock cannot be had: no such folder, no right to write there, or another one holds it for long.
    pub fn lock(&self) -> Result<Locked<'_>> {
        let begun = Instant::now();
        loop {
            match files::try_lock(&self.lock).map_err(|e| failed(&self.lock, &e))? {
                Some(file) => return Ok(Locked { store: self, _lock: file }),
                None if begun.elapsed() < PATIENCE => std::thread::sleep(POLL),
                None => {
                    let what = format!("{}: another program holds this lock", self.lock.display());
                    return Err(Error::input(what, "end the other `vitrine-verify`, then try again"));
                }
            }
        }
    }
}

/// Tells one content of the file from another without reading it: it is replaced as a whole, so another content has another
/// inode; one that was written in place has other times. None: there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(Option<(u64, u64, i64, i64, i64, i64)>);

/// A file as it was read. [`Default`]: there is none.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub book: Arc<Book>,
    bytes: Arc<[u8]>,
}

impl Locked<'_> {
    /// # Errors
    /// When the file is there and is not whole, not ours to read, or of a newer version. It is left as it is.
    pub fn read(&self) -> Result<Book> {
        self.read_after(&Kept::default()).map(|kept| Arc::unwrap_or_clone(kept.book))
    }

    /// The same, and nothing is parsed again when nobody has changed it since `earlier`.
    ///
    /// # Errors
    /// As there.
    pub fn read_after(&self, earlier: &Kept) -> Result<Kept> {
        let Some(bytes) = self.bytes()? else { return Ok(Kept::default()) };
        if !earlier.bytes.is_empty() && *bytes == *earlier.bytes {
            return Ok(earlier.clone());
        }
        let book = Book::parse(&bytes).map_err(|unusable| self.unusable(unusable))?;
        Ok(Kept { book: book.into(), bytes: bytes.into() })
    }

    /// Under the lock, so that it belongs to what is read or was written under the same.
    ///
    /// # Errors
    /// When nobody can say.
    pub fn stamp(&self) -> Result<Stamp> {
        match std::fs::metadata(&self.store.path) {
            Ok(m) => Ok(Stamp(Some((m.ino(), m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec())))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Stamp(None)),
            Err(error) => Err(failed(&self.store.path, &error)),
        }
    }

    /// None: there is no file.
    fn bytes(&self) -> Result<Option<Vec<u8>>> {
        let path = &self.store.path;
        let metadata = match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(path, &error)),
            Ok(metadata) => metadata,
        };
        if !metadata.is_file() {
            return Err(Error::input(format!("{} is no file", path.display()), OTHER_PLACE));
        }
        let owner = metadata.uid();
        if metadata.mode() & 0o022 != 0 || ![0, rustix::process::geteuid().as_raw()].contains(&owner) {
            let how = format!("owner {owner}, mode {:04o}", metadata.mode() & 0o7777);
            return Err(Error::input(
                format!("{} can be written by others ({how})", path.display()),
                format!("make it yours alone (`chmod 600 {}`); if others had it, move it away", path.display()),
            ));
        }
        files::read(path, BOOK_LIMIT).map(Some)
    }

    fn unusable(&self, why: Unusable) -> Error {
        let path = self.store.path.display();
        match why {
            Unusable::Newer(version) => Error::input(
                format!("{path} was written by a newer vitrine-verify (version {version} of the form)"),
                "use that program, or keep another file for this one with --state FILE",
            ),
            Unusable::Damaged(why) => Error::input(
                format!("{path} is damaged: {why}"),
                format!("get it from a backup, or `mv {path} {path}.damaged`: then every server is first seen again"),
            ),
        }
    }

    /// Replaces the file, for this user alone.
    ///
    /// # Errors
    /// When it cannot be written, or would be larger than what is read again; the old one then stays.
    pub fn write(&self, book: &Book) -> Result<()> {
        let bytes = book.to_bytes()?;
        if bytes.len() > BOOK_LIMIT {
            let what = format!("{} would have more than {BOOK_LIMIT} bytes", self.store.path.display());
            return Err(Error::input(what, "forget servers with `vitrine-verify state forget`, or keep several files"));
        }
        files::write_state(&self.store.path, &bytes).map_err(|e| Error::input(e.what, e.hint))
    }
}

/// The person's place, so the person's to mend.
fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::input(format!("{}: {error}", path.display()), OTHER_PLACE)
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::record;
    use super::super::ServerId;
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use vitrine_attest::Sha256;

    fn id(n: u8) -> ServerId {
        ServerId(Sha256([n; 32]))
    }

    fn add(store: &Store, n: u8) {
        let locked = store.lock().unwrap();
        let mut book = locked.read().unwrap();
        book.servers.insert(id(n), record("x", n.into()));
        locked.write(&book).unwrap();
    }

    #[test]
    fn places() {
        let place =
            |state: Option<&str>, home: Option<&str>| default_place(state.map(Into::into), home.map(Into::into));
        assert_eq!(place(Some("/s"), Some("/h")).unwrap(), Path::new("/s/vitrine/verify-state.json"));
        let under_home = Path::new("/h/.local/state/vitrine/verify-state.json");
        for state in [None, Some(""), Some("relative")] {
            assert_eq!(place(state, Some("/h")).unwrap(), under_home);
        }
        assert!(place(Some("relative"), None).unwrap_err().hint.contains("--no-state"));
    }

    #[test]
    fn made_for_one_user_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/state");
        let store = Store::at(&path).unwrap();
        assert_eq!(store.lock().unwrap().read().unwrap(), Book::default());
        assert!(!path.exists(), "reading made a file");
        add(&store, 1);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.path().join("a"))), (0o600, 0o700));
        add(&Store::at(&path).unwrap(), 2);
        assert_eq!(store.lock().unwrap().read().unwrap().servers.len(), 2);
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 2, "more than the file and its lock: {left:?}");
    }

    #[test]
    fn a_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        add(&Store::at(&target).unwrap(), 1);
        std::os::unix::fs::symlink(&target, &link).unwrap();
        add(&Store::at(&link).unwrap(), 2);
        assert!(link.is_symlink());
        assert_eq!(Store::at(&target).unwrap().lock().unwrap().read().unwrap().servers.len(), 2);
    }

    #[test]
    fn files_that_are_not_used_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let store = Store::at(&path).unwrap();
        add(&store, 1);
        let whole = std::fs::read(&path).unwrap();
        let newer = br#"{"v":3}"#.to_vec();
        for (bytes, says) in
            [(whole[..whole.len() / 2].to_vec(), "damaged"), (vec![], "damaged"), (newer, "newer vitrine-verify")]
        {
            std::fs::write(&path, &bytes).unwrap();
            let error = store.lock().unwrap().read().unwrap_err();
            assert!(error.what.contains(says) && error.exit_code() == 2, "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        std::fs::write(&path, vec![b' '; BOOK_LIMIT + 1]).unwrap();
        assert!(store.lock().unwrap().read().unwrap_err().what.contains("more than"));
        std::fs::write(&path, &whole).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();
        assert!(store.lock().unwrap().read().unwrap_err().what.contains("0620"));
        assert!(Store::at(folder.path()).unwrap().lock().unwrap().read().unwrap_err().what.contains("no file"));
    }

    #[test]
    fn what_another_wrote_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(&folder.path().join("state")).unwrap();
        let read = |earlier: &Kept| store.lock().unwrap().read_after(earlier);
        let nothing = read(&Kept::default()).unwrap();
        assert!(nothing.book.servers.is_empty());
        add(&store, 1);
        let one = read(&nothing).unwrap();
        assert_eq!(read(&one).unwrap().book, one.book);
        add(&store, 2);
        assert_eq!(read(&one).unwrap().book.servers.len(), 2);
        std::fs::write(store.path(), b"").unwrap();
        assert!(read(&nothing).is_err() && read(&one).is_err(), "an empty file is a damaged one");
    }

    #[test]
    fn no_update_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = &path;
                scope.spawn(move || (0..10).for_each(|n| add(&Store::at(path).unwrap(), thread * 10 + n)));
            }
        });
        assert_eq!(Store::at(&path).unwrap().lock().unwrap().read().unwrap().servers.len(), 40);
    }
}
