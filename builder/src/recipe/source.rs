//! Where the files of a recipe are read from: the disk, or a vendor archive in memory.

use super::folder;
use crate::bounded;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Files by path.
pub trait Source {
    /// The whole file, when it has at most `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// The same for two paths of one file: a recipe must not be its own parent.
    fn identity(&self, path: &Path) -> io::Result<PathBuf>;
    /// Paths of all files below a folder, sorted. There are no links among them.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The file system.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Source for Disk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        bounded::read(path, limit)
    }
    fn identity(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        folder::list(folder)
    }
}

/// The file system, remembering what was read: what a recipe needs is what reading it reads.
#[derive(Debug, Default)]
pub struct Recorder {
    files: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
}

impl Recorder {
    /// By absolute path without `.` and `..`.
    pub fn into_files(self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files.into_inner()
    }
}

impl Source for Recorder {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = Disk.read(path, limit)?;
        self.files.borrow_mut().insert(plain(&std::path::absolute(path)?)?, bytes.clone());
        Ok(bytes)
    }
    fn identity(&self, path: &Path) -> io::Result<PathBuf> {
        Disk.identity(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Disk.list(folder)
    }
}

/// Files by relative path, such as `recipe/exit.toml`. There is nothing else: absolute paths lead nowhere.
#[derive(Debug, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    fn find(&self, path: &Path) -> io::Result<(PathBuf, &[u8])> {
        let path = plain(path)?;
        match self.0.get(&path) {
            Some(bytes) => Ok((path, bytes)),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "not in the archive")),
        }
    }
}

impl Source for Memory {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let (_, bytes) = self.find(path)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("has more than {limit} bytes")));
        }
        Ok(bytes.to_vec())
    }
    fn identity(&self, path: &Path) -> io::Result<PathBuf> {
        self.find(path).map(|(path, _)| path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let folder = plain(folder)?;
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&folder).ok());
        let files: Vec<PathBuf> = below.filter(|path| path.file_name().is_some()).map(Path::to_path_buf).collect();
        match files.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "not in the archive")),
            false => Ok(files),
        }
    }
}

/// The path without `.` and `..`, by its text alone. Nothing may lie above where it begins.
pub(crate) fn plain(path: &Path) -> io::Result<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            // `/..` is `/`
            Component::ParentDir if out.has_root() => {}
            Component::ParentDir => {
                return Err(io::Error::new(io::ErrorKind::NotFound, "leads out of the archive"));
            }
            part => out.push(part),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_text() {
        for (path, expected) in
            [("a/./b", "a/b"), ("a/../b", "b"), ("/../a", "/a"), ("/a/b/../../c", "/c"), ("a/..", "")]
        {
            assert_eq!(plain(Path::new(path)).unwrap(), Path::new(expected), "{path}");
        }
        for path in ["..", "a/../..", "../a"] {
            assert!(plain(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn memory_has_no_outside() {
        let memory = Memory(BTreeMap::from([("recipe/a.toml".into(), b"abc".to_vec())]));
        assert_eq!(memory.read(Path::new("recipe/x/../a.toml"), 3).unwrap(), b"abc");
        assert_eq!(memory.identity(Path::new("./recipe/a.toml")).unwrap(), Path::new("recipe/a.toml"));
        assert!(memory.read(Path::new("recipe/a.toml"), 2).is_err());
        for path in ["/recipe/a.toml", "../recipe/a.toml", "/dev/null", "recipe"] {
            assert!(memory.read(Path::new(path), 100).is_err(), "{path}");
        }
        assert_eq!(memory.list(Path::new("recipe/../recipe")).unwrap(), [Path::new("a.toml")]);
        for path in ["/recipe", "recipe/a.toml", "rec", ".."] {
            assert!(memory.list(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn the_recorder_remembers() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "abc").unwrap();
        let recorder = Recorder::default();
        recorder.read(&dir.path().join("x/../a"), 3).unwrap_err(); // the folder x has to be there, as for everybody
        recorder.read(&dir.path().join("./a"), 3).unwrap();
        assert_eq!(recorder.into_files(), BTreeMap::from([(dir.path().join("a"), b"abc".to_vec())]));
    }
}
