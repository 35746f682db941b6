//! The root file system that the compiler runs in: files and links of the lock's packages, nothing else. No maintainer
//! script runs, no package is "installed".

use super::tree::listing;
use crate::lock::{Lock, LockedPackage};
use crate::progress::Progress;
use crate::store::{failed, Store};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{symlink, PermissionsExt as _};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::{Content, Deb, DebItem, DebKind, ImagePath};

/// Version of what is made from the same packages: part of the key of a kept root.
const FORM: &[u8] = b"vitrine toolchain root v1\0";
/// Left out: documentation, which no compiler reads and which has names that two packages share.
const LEFT_OUT: [&str; 6] = [
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/locale",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/bug",
];
/// Mount points of the sandbox.
const EMPTY: [&str; 6] = ["proc", "dev", "tmp", "vitrine", "cargo", "build"];
/// Debian 13 is merged-/usr; packages give paths in /usr, programs look here, too.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
/// Kind of the kept listing in the store.
const KIND: &str = "toolchain-root";

/// Makes the root in `folder`, or takes the one that is there when every byte is as it was made.
///
/// The caller holds the folder's lock.
pub fn make(lock: &Lock, digest: Sha256, folder: &Path, store: &Store, progress: &Progress) -> Result<PathBuf> {
    let (root, key) = (folder.join("root"), Sha256::of_parts(&[FORM, &digest.0]));
    if let Some(kept) = store.cache_get(KIND, &key).found() {
        progress.step("check the toolchain's root");
        if listing(&root).is_ok_and(|found| found.as_bytes() == kept.bytes.as_slice()) {
            return Ok(root);
        }
        progress.note("the kept root of the toolchain was altered or is gone: it is made anew");
    }
    remove(&root)?;
    progress.step(&format!("unpack {} packages of the toolchain", lock.packages.len()));
    let unpacked = folder.join("root.partial");
    remove(&unpacked)?;
    unpack(&lock.packages, store, &unpacked)?;
    let found = listing(&unpacked)?;
    fs::rename(&unpacked, &root).map_err(|e| failed("folder cannot be renamed", &unpacked, &e))?;
    store.cache_put(KIND, &key, &Content::new(found.into_bytes()))?;
    Ok(root)
}

/// Removes a folder with everything in it, if it is there.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("folder cannot be removed", folder, &e)),
        _ => Ok(()),
    }
}

fn unpack(packages: &[LockedPackage], store: &Store, root: &Path) -> Result<()> {
    let mut links = BTreeMap::new();
    for name in MERGED {
        links.insert(format!("/{name}"), format!("usr/{name}"));
    }
    for name in EMPTY.iter().copied().chain(MERGED.map(|_| "usr")) {
        folder(&root.join(name))?;
    }
    for package in packages {
        let bytes = store.read_package(package)?;
        let deb = Deb::read(&mut &bytes[..]).map_err(|e| e.within(format!("package {}", package.label())))?;
        files(&deb, root, &mut links).map_err(|e| e.within(format!("package {}", package.label())))?;
    }
    // last: no file is ever written through a link
    links.iter().try_for_each(|(path, target)| link(root, path, target))
}

/// Writes folders and files, and notes links.
fn files(deb: &Deb, root: &Path, links: &mut BTreeMap<String, String>) -> Result<()> {
    for (path, item) in &deb.index.0 {
        if LEFT_OUT.iter().any(|out| path.as_str() == *out || path.is_below(out)) {
            continue;
        }
        let place = root.join(path.relative());
        match &item.kind {
            // of a package older than merged-/usr; its files lie in /usr already
            DebKind::Directory if MERGED.contains(&path.relative()) => {}
            DebKind::Directory => folder(&place)?,
            DebKind::File { offset, size } => file(&place, path, item, bytes(deb, *offset, *size)?)?,
            DebKind::Link { target } => note(path, target, links)?,
        }
    }
    Ok(())
}

fn note(path: &ImagePath, target: &str, links: &mut BTreeMap<String, String>) -> Result<()> {
    path.follow(target)?; // refuses what leaves the root
    match links.insert(path.as_str().into(), target.into()) {
        Some(other) if other != target => Err(twice(path.as_str())),
        _ => Ok(()),
    }
}

fn bytes(deb: &Deb, offset: u64, size: u64) -> Result<&[u8]> {
    let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(size)).ok());
    let found = range.and_then(|(from, to)| deb.tar.get(from..to));
    found.ok_or_else(|| Error::bug("a file lies outside its package"))
}

/// With its parents, whatever the umask.
fn folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        folder(parent)?;
    }
    fs::create_dir(path).map_err(|e| failed("folder cannot be made", path, &e))?;
    set_mode(path, 0o755)
}

fn file(place: &Path, path: &ImagePath, item: &DebItem, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = place.parent() {
        folder(parent)?;
    }
    if place.exists() {
        return match fs::read(place) {
            Ok(other) if other == bytes => Ok(()),
            _ => Err(twice(path.as_str())),
        };
    }
    fs::write(place, bytes).map_err(|e| failed("file cannot be written", place, &e))?;
    set_mode(place, if item.mode & 0o111 == 0 { 0o644 } else { 0o755 }) // no set-user-ID, nothing that others may write
}

fn link(root: &Path, path: &str, target: &str) -> Result<()> {
    let place = root.join(&path[1..]);
    if let Some(parent) = place.parent() {
        folder(parent)?;
    }
    symlink(target, &place).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => twice(path),
        _ => failed("link cannot be made", &place, &e),
    })
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|e| failed("mode cannot be set", path, &e))
}

fn twice(path: &str) -> Error {
    Error::artefact(
        format!("{path} is in two packages, with other contents"),
        "take one of them out of the toolchain's recipe and run `vitrine lock`",
    )
}

#[cfg(test)]
mod tests;
