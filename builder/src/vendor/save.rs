//! A large file, written whole or not at all.

use super::write::digest;
use crate::out::cannot;
use ring::digest::{Context, SHA256};
use rustix::fs::{flock, FlockOperation};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use vitrine_attest::{Error, Result, Sha256};

/// Makes an error of a write that failed.
pub type Failed<'a> = &'a dyn Fn(&io::Error) -> Error;

/// Writes beside `path`, syncs, renames. What a killed run left there is written over by the next.
///
/// Gives size in bytes and SHA-256.
///
/// # Errors
/// Blame Input when another program is writing the same file; Host for the disk; whatever `write` gives.
pub fn save(path: &Path, write: impl FnOnce(&mut Hashing, Failed<'_>) -> Result<()>) -> Result<(u64, Sha256)> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name =
        name.ok_or_else(|| Error::input(format!("{} names no file", path.display()), "give a file with --out"))?;
    let partial = path.with_file_name(format!(".partial-{name}"));
    let failed = |e: &io::Error| cannot("write", path, e);
    let file = lock(&partial, path)?;
    let mut out = Hashing { file: BufWriter::with_capacity(1 << 20, file), hash: Context::new(&SHA256), size: 0 };
    let written = write(&mut out, &failed).and_then(|()| {
        let file = out.file.into_inner().map_err(|e| failed(e.error()))?;
        file.sync_all().and_then(|()| fs::rename(&partial, path)).map_err(|e| failed(&e))
    });
    match written {
        Ok(()) => Ok((out.size, digest(out.hash))),
        Err(error) => {
            let _ = fs::remove_file(&partial); // the error that matters is the first one
            Err(error)
        }
    }
}

/// The file beside the target, empty, and locked against others who write the same.
fn lock(partial: &Path, path: &Path) -> Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(partial);
        let file = file.map_err(|e| cannot("write", partial, &e))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let what = format!("another vitrine is writing {}", path.display());
            return Err(Error::input(what, "wait for it to end, or give another file with --out"));
        }
        let found = file.metadata().map_err(|e| cannot("write", partial, &e))?;
        // between opening and locking, the other one may have finished and renamed the file
        if fs::metadata(partial).is_ok_and(|there| (there.dev(), there.ino()) == (found.dev(), found.ino())) {
            let cut = if found.len() > 0 { file.set_len(0) } else { Ok(()) };
            return cut.map(|()| file).map_err(|e| cannot("write", partial, &e));
        }
    }
}

/// Counts and hashes what goes through.
pub struct Hashing {
    file: BufWriter<File>,
    hash: Context,
    size: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
