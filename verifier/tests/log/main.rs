//! The log in a folder: its life, wrong input, and every failure of program, disk and power.

mod faults;
mod index;
mod life;
mod power;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const ORIGIN: &str = "log.example/vitrine";

/// A log of its own for one test.
pub(crate) struct Log {
    _folder: tempfile::TempDir,
    pub(crate) dir: PathBuf,
}

pub(crate) fn verify(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine-verify")).args(args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output of a command that has to end well.
pub(crate) fn good(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of one that has to end with this code.
pub(crate) fn bad(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stderr)
}

impl Log {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("log");
        good(&verify(&["log", "init", dir.to_str().unwrap(), "--origin", ORIGIN]));
        Self { _folder: folder, dir }
    }

    pub(crate) fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    /// A file beside the log.
    pub(crate) fn beside(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.dir.with_file_name(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }

    /// Appends lines, `batch` at a time.
    pub(crate) fn lines(&self, lines: &[String], batch: usize) -> String {
        let file = self.beside("lines", lines.join("\n"));
        good(&verify(&["log", "append", self.path(), "--lines", &file, "--batch", &batch.to_string()]))
    }

    pub(crate) fn fsck(&self) -> Output {
        verify(&["log", "fsck", self.path()])
    }

    /// Size and root of the published checkpoint.
    pub(crate) fn published(&self) -> (u64, String) {
        head(&self.dir.join("public/checkpoint"))
    }
}

pub(crate) fn head(checkpoint: &Path) -> (u64, String) {
    let note = std::fs::read_to_string(checkpoint).unwrap();
    let mut lines = note.lines().skip(1);
    (lines.next().unwrap().parse().unwrap(), lines.next().unwrap().into())
}

pub(crate) fn entries(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("entry {n}")).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap(); // with its mode
        }
    }
}

/// Path and bytes of each file.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    walk(folder, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| (path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}
