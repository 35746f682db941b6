//! A folder as text: what is compared to find a changed byte in a kept root.
//!
//! ```text
//! d755 /usr
//! f755 /usr/bin/ld 5f70…
//! l /usr/bin/cc gcc
//! ```

use crate::store::failed;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use vitrine_attest::{Error, Result, Sha256};

/// Files read at the same time.
const WORKERS: usize = 4;
/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// All entries below a folder, sorted by path, a line each.
///
/// # Errors
/// When something in it cannot be read, or is neither file, folder nor link.
pub fn listing(root: &Path) -> Result<String> {
    let mut names = Vec::new();
    collect(root, "", &mut names)?;
    names.sort();
    let (next, lines) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); names.len()]));
    let wrong = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(names.len()) {
            scope.spawn(|| {
                while let Some((number, name)) = claim(&names, &next) {
                    match (line(root, name), lines.lock(), wrong.lock()) {
                        (Ok(line), Ok(mut lines), _) => lines[number] = line,
                        (Err(error), _, Ok(mut wrong)) => *wrong = Some(error),
                        _ => {}
                    }
                }
            });
        }
    });
    match wrong.into_inner() {
        Ok(None) => Ok(lines.into_inner().unwrap_or_default().concat()),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(Error::bug("a thread that reads files has ended early")),
    }
}

fn claim<'a>(names: &'a [String], next: &AtomicUsize) -> Option<(usize, &'a String)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    names.get(number).map(|name| (number, name))
}

fn collect(root: &Path, below: &str, names: &mut Vec<String>) -> Result<()> {
    let folder = root.join(below.trim_start_matches('/'));
    let wrong = |e: &io::Error| failed("folder cannot be read", &folder, e);
    for entry in fs::read_dir(&folder).map_err(|e| wrong(&e))? {
        let entry = entry.map_err(|e| wrong(&e))?;
        let name = entry.file_name().into_string().map_err(|name| {
            Error::artefact(
                format!("{}: {name:?} is not UTF-8", folder.display()),
                "remove it and run the command again",
            )
        })?;
        let path = format!("{below}/{name}");
        if entry.file_type().map_err(|e| wrong(&e))?.is_dir() {
            collect(root, &path, names)?;
        }
        names.push(path);
    }
    Ok(())
}

fn line(root: &Path, name: &str) -> Result<String> {
    let path = root.join(&name[1..]);
    let wrong = |e: io::Error| failed("file cannot be read", &path, &e);
    let found = fs::symlink_metadata(&path).map_err(wrong)?;
    let mode = found.permissions().mode() & 0o7777;
    if found.is_symlink() {
        let target = fs::read_link(&path).map_err(wrong)?;
        return Ok(format!("l {name} {}\n", target.display()));
    }
    if found.is_dir() {
        return Ok(format!("d{mode:o} {name}\n"));
    }
    if !found.is_file() {
        return Err(Error::artefact(format!("{} is no file", path.display()), "remove it and run the command again"));
    }
    Ok(format!("f{mode:o} {name} {}\n", digest(&path).map_err(wrong)?))
}

/// SHA-256 of a file of any size.
fn digest(path: &Path) -> io::Result<Sha256> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let (mut file, mut buffer) = (File::open(path)?, vec![0; CHUNK]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => context.update(&buffer[..read]),
        }
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Ok(Sha256(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_shows() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::write(root.join("usr/bin/ld"), "linker").unwrap();
        std::os::unix::fs::symlink("ld", root.join("usr/bin/cc")).unwrap();
        for (path, mode) in [("usr", 0o755), ("usr/bin", 0o755), ("usr/bin/ld", 0o755)] {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let before = listing(root).unwrap();
        let digest = Sha256::of(b"linker");
        assert_eq!(before, format!("d755 /usr\nd755 /usr/bin\nl /usr/bin/cc ld\nf755 /usr/bin/ld {digest}\n"));
        fs::write(root.join("usr/bin/ld"), "lInker").unwrap();
        assert_ne!(listing(root).unwrap(), before);
        fs::write(root.join("usr/bin/ld"), "linker").unwrap();
        assert_eq!(listing(root).unwrap(), before);
        fs::set_permissions(root.join("usr/bin/ld"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_ne!(listing(root).unwrap(), before);
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe"), rustix::fs::Mode::RWXU).unwrap();
        assert!(listing(root).unwrap_err().what.contains("is no file"));
    }
}
