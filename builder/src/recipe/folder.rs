//! The files of a folder on the disk, in one order everywhere. Links are refused: what they lead to may not be there on another machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files, and folders inside folders: more than a program in an image needs.
const MOST_FILES: usize = 4000;
const DEPTH: usize = 32;
/// Entries of all folders, `.git` included.
const MOST_ENTRIES: usize = 100_000;
/// What version control keeps of itself is no part of a program.
const LEFT_OUT: &str = ".git";

/// Paths below the folder, sorted; folders themselves are not listed.
///
/// # Errors
/// A link, device, pipe or socket; more files than the limits; what cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut todo, mut seen) = (Vec::new(), vec![(PathBuf::new(), 0)], 0);
    while let Some((inside, depth)) = todo.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            seen += 1;
            let (name, kind) = (inside.join(entry.file_name()), entry.file_type()?);
            if entry.file_name() == LEFT_OUT {
                continue;
            }
            if files.len() == MOST_FILES || depth == DEPTH || seen > MOST_ENTRIES {
                return Err(refused(format!("more than {MOST_FILES} files, or folders {DEPTH} deep")));
            }
            if kind.is_dir() {
                todo.push((name, depth + 1));
            } else if kind.is_file() {
                files.push(name);
            } else {
                let what = if kind.is_symlink() { "a link" } else { "no file or folder" };
                return Err(refused(format!("{} is {what}: put the file itself there", name.display())));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn sorted_without_version_control_and_empty_folders() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["b/c", "empty", ".git"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["b/c/x", "a", "b-a", ".git/config"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let names: Vec<String> = list(dir.path()).unwrap().iter().map(|path| path.display().to_string()).collect();
        assert_eq!(names, ["a", "b/c/x", "b-a"]);
        assert!(list(&dir.path().join("none")).is_err() && list(&dir.path().join("a")).is_err());
    }

    #[test]
    fn links_pipes_and_too_many() {
        let dir = tempfile::tempdir().unwrap();
        symlink("a", dir.path().join("l")).unwrap();
        assert!(list(dir.path()).unwrap_err().to_string().contains("l is a link"));
        fs::remove_file(dir.path().join("l")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("p"), rustix::fs::Mode::RUSR).unwrap();
        assert!(list(dir.path()).unwrap_err().to_string().contains("p is no file or folder"));
        let deep = tempfile::tempdir().unwrap();
        let folder = deep.path().join("x/".repeat(DEPTH + 1));
        fs::create_dir_all(&folder).unwrap();
        assert!(list(deep.path()).unwrap_err().to_string().contains("deep"));
        let many = tempfile::tempdir().unwrap();
        (0..=MOST_FILES).for_each(|n| fs::write(many.path().join(n.to_string()), "").unwrap());
        assert!(list(many.path()).unwrap_err().to_string().contains("more than 4000 files"));
    }
}
