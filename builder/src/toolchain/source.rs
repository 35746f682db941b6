//! The sources of the programs: which files, and one hash over them.
//!
//! The source hash is the SHA-256 of a list that `sha256sum` writes as well, sorted by path:
//! ```text
//! 5f70…  Cargo.toml
//! 9c1d…  attest/Cargo.toml
//! ```
//! `Cargo.toml` is the workspace's, cut down to the needed members ([`super::members`]); the others are as they are.

use super::members::Members;
use crate::bounded;
use crate::store::failed;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use vitrine_attest::{Error, Result, Sha256};

/// Bytes of one source file.
const FILE_LIMIT: u64 = 16 << 20;
/// Most files.
const COUNT_LIMIT: usize = 20_000;
/// Tables of a manifest that name what makes no program of an image.
const LEFT_OUT: [&str; 3] = ["test", "example", "bench"];

/// Files by path below the workspace's folder.
#[derive(Debug)]
pub struct Sources {
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Sources {
    /// Reads the files of the members that git tracks; without git's folder, all of them.
    ///
    /// # Errors
    /// When a file cannot be read, or git cannot say what it tracks.
    pub fn read(root: &Path, members: &Members) -> Result<Self> {
        let tracked = tracked(root)?;
        let mut files = BTreeMap::new();
        for folder in members.folders.values() {
            let manifest = format!("{folder}/Cargo.toml");
            take(root, &manifest, &mut files)?;
            if root.join(folder).join("build.rs").is_file() {
                take(root, &format!("{folder}/build.rs"), &mut files)?;
            }
            walk(root, &format!("{folder}/src"), &tracked, &mut files)?;
            tests(&manifest, &mut files)?;
        }
        files.insert("Cargo.toml".into(), members.manifest.clone().into_bytes());
        Ok(Self { files })
    }

    /// The same, from files that were read before: each has to be of the members.
    pub fn of_files(files: BTreeMap<String, Vec<u8>>, members: &Members) -> Result<Self> {
        let wrong = |why: String| Error::input(why, "take the files as `vitrine compile` reads them");
        if files.get("Cargo.toml").map(Vec::as_slice) != Some(members.manifest.as_bytes()) {
            return Err(wrong("Cargo.toml is not the cut-down one of the programs' crates".into()));
        }
        match files.keys().find(|path| *path != "Cargo.toml" && !belongs(path, members)) {
            Some(path) => Err(wrong(format!("{path} is no source of the programs"))),
            None => Ok(Self { files }),
        }
    }

    pub fn digest(&self) -> Sha256 {
        let lines: Vec<String> =
            self.files.iter().map(|(path, bytes)| format!("{}  {path}\n", Sha256::of(bytes))).collect();
        Sha256::of(lines.concat().as_bytes())
    }

    /// Writes all files below `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (path, bytes) in &self.files {
            let place = folder.join(path);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent).map_err(|e| failed("folder cannot be made", parent, &e))?;
            }
            fs::write(&place, bytes).map_err(|e| failed("file cannot be written", &place, &e))?;
        }
        Ok(())
    }
}

/// What [`Sources::read`] would take, by its name.
fn belongs(path: &str, members: &Members) -> bool {
    let below = members.folders.values().find_map(|folder| path.strip_prefix(folder.as_str())?.strip_prefix('/'));
    below.is_some_and(|below| matches!(below, "Cargo.toml" | "build.rs") || below.starts_with("src/"))
}

/// What git tracks, or `None` where there is no git folder: an unpacked archive of the sources.
fn tracked(root: &Path) -> Result<Option<BTreeSet<String>>> {
    if !root.join(".git").exists() {
        return Ok(None);
    }
    let hint = "install git, allow it with `git config --global --add safe.directory DIR`, or use sources without a .git folder";
    let mut command = Command::new("git");
    command.arg("-C").arg(root).args(["ls-files", "-z"]);
    let output = command.output().map_err(|e| Error::host(format!("git cannot be run: {e}"), hint))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::host(format!("git ls-files: {}", said.trim_end()), hint));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Some(names.split('\0').map(String::from).collect()))
}

fn walk(
    root: &Path,
    folder: &str,
    tracked: &Option<BTreeSet<String>>,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let path = root.join(folder);
    for entry in fs::read_dir(&path).map_err(|e| failed("folder cannot be read", &path, &e))? {
        let entry = entry.map_err(|e| failed("folder cannot be read", &path, &e))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let inner = format!("{folder}/{name}");
        let kind = entry.file_type().map_err(|e| failed("file cannot be read", &path, &e))?;
        if kind.is_dir() {
            walk(root, &inner, tracked, files)?;
        } else if tracked.as_ref().is_none_or(|tracked| tracked.contains(&inner)) {
            if !kind.is_file() {
                return Err(Error::input(format!("{inner} is no plain file"), "sources are plain files"));
            }
            take(root, &inner, files)?;
        }
    }
    Ok(())
}

fn take(root: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    if files.len() >= COUNT_LIMIT {
        return Err(Error::input(format!("more than {COUNT_LIMIT} source files"), "give vitrine's own sources"));
    }
    let path = root.join(name);
    let bytes = bounded::read(&path, FILE_LIMIT).map_err(|e| failed("source cannot be read", &path, &e))?;
    files.insert(name.into(), bytes);
    Ok(())
}

/// Tests that a manifest names would have to be there: they go from the manifest, as their files do.
fn tests(manifest: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let Some(bytes) = files.get_mut(manifest) else { return Ok(()) };
    let wrong = |why: String| Error::input(format!("{manifest}: {why}"), "correct the manifest");
    let text = std::str::from_utf8(bytes).map_err(|e| wrong(e.to_string()))?;
    let mut table: toml::Table = toml::from_str(text).map_err(|e| wrong(e.message().into()))?;
    let before = table.len();
    table.retain(|key, _| !LEFT_OUT.contains(&key));
    if table.len() != before {
        *bytes = toml::to_string(&table).map_err(|e| wrong(e.to_string()))?.into_bytes();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// A crate with a test that its manifest names, and a file that nobody tracks.
    fn small(root: &Path) -> Members {
        fs::create_dir_all(root.join("a/src/deep")).unwrap();
        fs::write(root.join("a/Cargo.toml"), "[package]\nname = \"a\"\n[[test]]\nname = \"t\"\n").unwrap();
        fs::write(root.join("a/src/main.rs"), "fn main() {}").unwrap();
        fs::write(root.join("a/src/deep/x.rs"), "").unwrap();
        Members { folders: [("a".into(), "a".into())].into(), manifest: "[workspace]\n".into() }
    }

    #[test]
    fn hash_is_that_of_sha256sum() {
        let dir = tempfile::tempdir().unwrap();
        let sources = Sources::read(dir.path(), &small(dir.path())).unwrap();
        let out = dir.path().join("out");
        sources.write(&out).unwrap();
        let script = "find . -type f | sed 's,^./,,' | LC_ALL=C sort | xargs sha256sum | sha256sum";
        let output = Command::new("sh").args(["-c", script]).current_dir(&out).output().unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert_eq!(theirs.split(' ').next(), Some(sources.digest().to_string().as_str()));
    }

    #[test]
    fn tests_and_what_git_does_not_track_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let members = small(dir.path());
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            let status = command.arg("-C").arg(dir.path()).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").status();
            assert!(status.unwrap().success(), "git {args:?}");
        };
        git(&["init", "-q"]);
        git(&["add", "a"]);
        let before = Sources::read(dir.path(), &members).unwrap().digest();
        fs::write(dir.path().join("a/src/main.rs.orig"), "x").unwrap();
        let sources = Sources::read(dir.path(), &members).unwrap();
        assert_eq!(sources.digest(), before);
        assert_eq!(
            sources.files.keys().collect::<Vec<_>>(),
            ["Cargo.toml", "a/Cargo.toml", "a/src/deep/x.rs", "a/src/main.rs"]
        );
        assert!(!String::from_utf8_lossy(&sources.files["a/Cargo.toml"]).contains("[[test]]"));
        fs::write(dir.path().join("a/src/main.rs"), "fn main() { }").unwrap();
        assert_ne!(Sources::read(dir.path(), &members).unwrap().digest(), before);
    }

    #[test]
    fn links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let members = small(dir.path());
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("a/src/l.rs")).unwrap();
        assert!(Sources::read(dir.path(), &members).unwrap_err().what.contains("no plain file"));
    }

    #[test]
    fn of_this_workspace() {
        let sources = Sources::read(workspace(), &Members::of(workspace()).unwrap()).unwrap();
        assert!(sources.files.contains_key("initramfs/guest/src/main.rs"));
        assert!(sources.files.keys().all(|path| !path.starts_with("builder") && !path.contains("/tests/swtpm")));
    }
}
