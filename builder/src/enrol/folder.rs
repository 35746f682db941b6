//! The output: all of it or nothing. It is written under a temporary name beside its place, which is then renamed.

use crate::out;
use rustix::fs::{flock, FlockOperation};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

/// A file of the output: its path in the folder, with at most one `/`, and its bytes. All of it is public.
pub type Named = (String, Vec<u8>);

/// Writes the files into the new folder `dir`.
///
/// # Errors
/// Blame Input when it exists and is not empty, or somebody else is writing it; Host when it cannot be written.
pub fn write(dir: &Path, files: &[Named]) -> Result<()> {
    refuse_used(dir)?;
    let partial = partial(dir)?;
    fs::create_dir_all(&partial).map_err(|e| out::cannot("make folder", &partial, &e))?;
    let lock = File::open(&partial).map_err(|e| out::cannot("open", &partial, &e))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::input(
            format!("another enrolment is writing {}", dir.display()),
            "wait for it to end, or give another folder with --out",
        )
    })?;
    let written = fill(&partial, files).and_then(|()| {
        refuse_used(dir)?;
        fs::rename(&partial, dir).map_err(|e| out::cannot("write", dir, &e))
    });
    written.inspect_err(|_| {
        let _ = fs::remove_dir_all(&partial); // the error that matters is the first one
    })
}

/// `out/enrolment` → `out/.partial-enrolment`
fn partial(dir: &Path) -> Result<PathBuf> {
    let name = dir.file_name().ok_or_else(|| {
        Error::input(format!("{} names no new folder", dir.display()), "give the name of a new folder with --out")
    })?;
    Ok(dir.with_file_name(format!(".partial-{}", name.to_string_lossy())))
}

fn refuse_used(dir: &Path) -> Result<()> {
    let free = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    };
    if free {
        return Ok(());
    }
    Err(Error::input(format!("{} exists already", dir.display()), "give a new folder with --out"))
}

fn fill(partial: &Path, files: &[Named]) -> Result<()> {
    clear(partial).map_err(|e| out::cannot("clear", partial, &e))?;
    for (name, bytes) in files {
        let path = partial.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| out::cannot("make folder", folder, &e))?;
        }
        fs::write(&path, bytes).map_err(|e| out::cannot("write", &path, &e))?;
    }
    Ok(())
}

/// Takes away what an interrupted run left, but not the folder itself: it holds the lock.
fn clear(partial: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(partial)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<Named> {
        vec![("a".into(), b"1".to_vec()), ("step/b".into(), b"2".to_vec())]
    }

    #[test]
    fn all_or_nothing_and_nothing_twice() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("enrolment");
        let partial = partial(&target).unwrap();
        fs::create_dir(&partial).unwrap();
        fs::write(partial.join("left-by-an-interrupted-run"), "x").unwrap();
        write(&target, &files()).unwrap();
        assert_eq!(fs::read(target.join("step/b")).unwrap(), b"2");
        assert!(!target.join("left-by-an-interrupted-run").exists() && !partial.exists());
        assert!(write(&target, &files()).unwrap_err().what.contains("exists already"));

        let failing = dir.path().join("failing");
        let bad = [files(), vec![("a/below-a-file".into(), vec![])]].concat();
        assert_eq!(write(&failing, &bad).unwrap_err().exit_code(), 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something half-written was left");
        assert!(write(Path::new("/"), &files()).is_err());
    }

    #[test]
    fn two_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("enrolment");
        let partial = partial(&target).unwrap();
        fs::create_dir(&partial).unwrap();
        let lock = File::open(&partial).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        assert!(write(&target, &files()).unwrap_err().what.contains("another enrolment"));
        drop(lock);
        write(&target, &files()).unwrap();
    }
}
