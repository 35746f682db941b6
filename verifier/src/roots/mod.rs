//! EK roots from a file, or from a folder of files as TPM makers publish them.

pub mod bundle;

use crate::files;
use std::path::{Path, PathBuf};
use vitrine_attest::ek::{Roots, ROOTS_LIMIT};
use vitrine_attest::{Error, Result};

const HINT: &str = "give --ek-roots a file or folder with the TPM vendor's CA certificates, PEM or DER";
/// In a folder, only these are read; what else lies there (lists, programs, checksums) is left alone.
const EXTENSIONS: [&str; 4] = ["pem", "crt", "cer", "der"];
/// Folders in folders: makers' collections have maker and kind.
const DEPTH_LIMIT: usize = 4;
/// Most entries of a folder and those in it; all makers together publish about 300 certificates.
const ENTRIES_LIMIT: usize = 4096;

/// Reads a file, or every certificate file of a folder. A certificate that is there twice counts once.
///
/// # Errors
/// When there is none, or one of them is no certificate of a CA: a mistake here must not go unnoticed.
pub fn read(path: &Path) -> Result<Roots> {
    Ok(Roots::joined(&each(path, |certificates| Roots::parse(&certificates.concat()))?))
}

/// [`read`], as DER: for the roots of other makers than those of TPMs.
///
/// # Errors
/// As [`read`].
#[cfg(feature = "cpu-evidence")]
pub fn ders(path: &Path) -> Result<Vec<Vec<u8>>> {
    let judged = |certificates: Vec<Vec<u8>>| Roots::parse(&certificates.concat()).map(|_| certificates);
    Ok(each(path, judged)?.concat())
}

/// What becomes of the certificates of each file, so that an error has the file's name.
fn each<T>(path: &Path, judge: impl Fn(Vec<Vec<u8>>) -> Result<T>) -> Result<Vec<T>> {
    let mut all = vec![];
    let mut left = ROOTS_LIMIT;
    for path in &files_of(path)? {
        let bytes = files::read(path, left)?;
        left -= bytes.len();
        let found = bundle::certificates(&bytes).map_err(|why| Error::input(format!("EK roots: {why}"), HINT));
        all.push(found.and_then(&judge).map_err(|e| e.within(path.display()))?);
    }
    Ok(all)
}

/// The file itself, or the files of a folder that are read.
///
/// # Errors
/// When the folder cannot be read, or has none.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        folder(path)
    } else {
        Ok(vec![path.to_owned()])
    }
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let mut listing = Listing { files: vec![], entries: 0 };
    listing.collect(path, DEPTH_LIMIT)?;
    if listing.files.is_empty() {
        let what = format!("{}: no file of the folder ends in .pem, .crt, .cer or .der", path.display());
        return Err(Error::input(what, HINT));
    }
    Ok(listing.files)
}

struct Listing {
    files: Vec<PathBuf>,
    entries: usize,
}

impl Listing {
    /// In the order of names, so that a report is the same each time.
    fn collect(&mut self, folder: &Path, depth: usize) -> Result<()> {
        let failed =
            |e: std::io::Error| Error::input(format!("{}: {e}", folder.display()), "check the folder of --ek-roots");
        let mut entries = vec![];
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            entries.push(entry.map_err(failed)?.path());
            self.entries += 1;
            if self.entries > ENTRIES_LIMIT {
                let what = format!("{}: more than {ENTRIES_LIMIT} files and folders", folder.display());
                return Err(Error::input(what, "give --ek-roots a folder of certificates only"));
            }
        }
        entries.sort();
        for path in entries {
            if path.is_dir() {
                if depth == 0 {
                    let what = format!("{}: folders in folders, deeper than {DEPTH_LIMIT}", path.display());
                    return Err(Error::input(what, "give --ek-roots a folder of certificates only"));
                }
                self.collect(&path, depth - 1)?;
            } else if is_certificate(&path) {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

fn is_certificate(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}
