//! Crates laid out as one of Cargo's directory sources: `/cargo/serde-1.0.228/…`, each with `.cargo-checksum.json`.

use super::crates::Crate;
use crate::progress::Progress;
use crate::store::{failed, Store};
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use vitrine_attest::{Error, Result};

/// Most one crate may unpack to, in bytes; windows-sys has 40 MB.
const UNPACKED_LIMIT: u64 = 512 << 20;
/// Most entries of one crate; the largest of ours has 3,000.
const ENTRIES: usize = 50_000;

/// Unpacks all crates out of the store.
pub fn lay_out(crates: &[Crate], folder: &Path, store: &Store, progress: &Progress) -> Result<()> {
    progress.step(&format!("lay out {} crates", crates.len()));
    fs::create_dir_all(folder).map_err(|e| failed("folder cannot be made", folder, &e))?;
    crates.iter().try_for_each(|one| {
        let bytes = store.read(&one.sha256).map_err(|e| e.within(format!("crate {}", one.label())))?;
        unpack(&bytes, &one.label(), folder).map_err(|e| e.within(format!("crate {}", one.label())))?;
        let place = folder.join(one.label()).join(".cargo-checksum.json");
        // the whole file was checked: none of its parts is again
        let text = format!("{{\"files\":{{}},\"package\":\"{}\"}}", one.sha256);
        fs::write(&place, text).map_err(|e| failed("file cannot be written", &place, &e))
    })
}

/// A `.crate` file: gzip, tar, one folder of the crate's name with files. Links and everything else are refused.
pub fn unpack(bytes: &[u8], label: &str, folder: &Path) -> Result<()> {
    let mut plain = Vec::new();
    // to its end: behind the last entry stands gzip's checksum
    flate2::read::GzDecoder::new(bytes).take(UNPACKED_LIMIT + 1).read_to_end(&mut plain).map_err(damaged)?;
    if plain.len() as u64 > UNPACKED_LIMIT {
        return Err(refused(&format!("it unpacks to more than {UNPACKED_LIMIT} bytes")));
    }
    let mut archive = tar::Archive::new(plain.as_slice());
    let mut count = 0;
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        count += 1;
        if count > ENTRIES {
            return Err(refused(&format!("it has more than {ENTRIES} entries")));
        }
        let path = inside(&entry.path().map_err(damaged)?, label)?;
        let place = folder.join(path);
        match entry.header().entry_type() {
            tar::EntryType::Directory => {
                fs::create_dir_all(&place).map_err(|e| failed("folder cannot be made", &place, &e))?
            }
            tar::EntryType::Regular => file(&mut entry, &place)?,
            other => return Err(refused(&format!("{} is a {other:?}", place.display()))),
        }
    }
    match count {
        0 => Err(refused("it is empty")),
        _ => Ok(()),
    }
}

/// Below the crate's own folder, and nowhere else.
fn inside(path: &Path, label: &str) -> Result<PathBuf> {
    let mut parts = path.components();
    let own = parts.next() == Some(Component::Normal(label.as_ref()));
    if own && parts.all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path.to_path_buf());
    }
    Err(refused(&format!("{path:?} lies outside its folder")))
}

fn file(entry: &mut impl std::io::Read, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).map_err(|e| failed("folder cannot be made", parent, &e))?;
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(damaged)?;
    fs::write(place, bytes).map_err(|e| failed("file cannot be written", place, &e))
}

fn damaged(error: std::io::Error) -> Error {
    Error::artefact(format!("it cannot be unpacked: {error}"), HINT)
}

fn refused(why: &str) -> Error {
    Error::artefact(why, HINT)
}

const HINT: &str = "Cargo.lock pins these bytes: ask who maintains the sources";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn pack(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, body) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes()); // as written, bad ones too
            header.set_entry_type(*kind);
            if *kind == tar::EntryType::Symlink {
                header.set_link_name(body).unwrap();
            }
            let body = if *kind == tar::EntryType::Regular { body.as_bytes() } else { b"" };
            header.set_size(body.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, body).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
        gzip.write_all(&builder.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    use tar::EntryType::{Link, Regular, Symlink};

    #[test]
    fn laid_out_with_its_checksum() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&dir.path().join("store"))).unwrap();
        let sha256 = store.put(&pack(&[("a-1.0.0/src/lib.rs", Regular, "pub fn a() {}")])).unwrap();
        let one = Crate { name: "a".into(), version: "1.0.0".into(), sha256 };
        let folder = dir.path().join("cargo");
        lay_out(&[one], &folder, &store, &Progress::hidden()).unwrap();
        assert_eq!(fs::read_to_string(folder.join("a-1.0.0/src/lib.rs")).unwrap(), "pub fn a() {}");
        let note = fs::read_to_string(folder.join("a-1.0.0/.cargo-checksum.json")).unwrap();
        assert!(note.contains(&sha256.to_string()), "{note}");
    }

    #[test]
    fn nothing_gets_out_of_its_folder() {
        for (entries, why) in [
            (vec![("b-1.0.0/x", Regular, "")], "outside its folder"),
            (vec![("a-1.0.0/../x", Regular, "")], "outside its folder"),
            (vec![("/a-1.0.0/x", Regular, "")], "outside its folder"),
            (vec![("a-1.0.0/l", Symlink, "/etc"), ("a-1.0.0/l/passwd", Regular, "")], "Symlink"),
            (vec![("a-1.0.0/l", Link, "x")], "Link"),
            (vec![], "empty"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let error = unpack(&pack(&entries), "a-1.0.0", dir.path()).unwrap_err();
            assert!(error.what.contains(why), "{error}");
            assert!(!dir.path().join("x").exists() && !dir.path().parent().unwrap().join("x").exists());
        }
    }

    #[test]
    fn damage_is_noticed() {
        let good = pack(&[("a-1.0.0/lib.rs", Regular, "0123456789")]);
        for length in 0..good.len() {
            let dir = tempfile::tempdir().unwrap();
            assert!(unpack(&good[..length], "a-1.0.0", dir.path()).is_err(), "cut at {length}");
        }
    }
}
