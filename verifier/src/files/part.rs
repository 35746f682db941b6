//! A file that is not whole yet.

use crate::server::random;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use vitrine_attest::digest::hex;
use vitrine_attest::Result;

/// A file beside its place, such as `answer.0123456789abcdef.part`; gone unless it is finished.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    part: PathBuf,
    file: File,
    whole: bool,
}

impl Part {
    /// `mode` as open(2) takes it: the umask is taken away. The inner error: the file cannot be made.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn beside(path: &Path, mode: u32) -> Result<io::Result<Self>> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        // random: in a container every program has the same number, and one that was killed has left its part
        name.push(format!(".{}.part", hex(&random()?[..8])));
        let part = path.with_file_name(name);
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part);
        Ok(opened.map(|file| Self { path: path.to_owned(), part, file, whole: false }))
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// # Errors
    /// As write(2).
    pub fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)
    }

    /// Its bytes are on the disk, then it comes into its place. That its name is there, too, only synchronising the folder shows.
    ///
    /// # Errors
    /// As fsync(2) and rename(2).
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.part, &self.path)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.whole {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}
