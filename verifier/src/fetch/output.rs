//! Where an answer goes: each piece at once.

use crate::files::Part;
use hyper::body::Bytes;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

#[derive(Debug)]
pub enum Output {
    Stdout,
    /// A device or a pipe: it cannot be replaced.
    Device(File, PathBuf),
    File(Part),
}

impl Output {
    /// # Errors
    /// When the place cannot be written to.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        let special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        let opened = if special {
            OpenOptions::new().write(true).open(path).map(|file| Self::Device(file, path.to_owned()))
        } else {
            Part::beside(path, 0o666)?.map(Self::File)
        };
        opened.map_err(|e| unwritten(&path.display().to_string(), &e))
    }

    /// On another thread: who reads may be slow, and the request goes on meanwhile.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn write(mut self, piece: Bytes) -> Result<Self> {
        let written = tokio::task::spawn_blocking(move || self.put(&piece).map(|()| self)).await;
        written.map_err(|_| Error::bug("a thread that writes has ended"))?
    }

    fn put(&mut self, piece: &[u8]) -> Result<()> {
        let (name, written) = match self {
            Self::Stdout => ("stdout".into(), at_once(&mut io::stdout().lock(), piece)),
            Self::Device(file, path) => (path.display().to_string(), at_once(file, piece)),
            Self::File(part) => (part.path().display().to_string(), part.write_all(piece)),
        };
        written.map_err(|e| unwritten(&name, &e))
    }

    /// The answer is whole: a file comes into its place.
    ///
    /// # Errors
    /// When it cannot.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Stdout | Self::Device(..) => Ok(()),
            Self::File(part) => {
                let name = part.path().display().to_string();
                part.finish().map_err(|e| unwritten(&name, &e))
            }
        }
    }
}

fn at_once(writer: &mut impl Write, piece: &[u8]) -> io::Result<()> {
    writer.write_all(piece)?;
    writer.flush()
}

fn unwritten(name: &str, error: &io::Error) -> Error {
    Error::host(format!("{name}: the answer cannot be written: {error}"), "choose another place with --output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer");
        let mut broken = Output::open(Some(&path)).unwrap();
        broken.put(b"half").unwrap();
        drop(broken);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something was left");
        std::fs::write(&path, b"earlier").unwrap();
        let mut whole = Output::open(Some(&path)).unwrap();
        whole.put(b"one ").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"earlier");
        whole.put(b"two").unwrap();
        whole.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one two");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        assert!(Output::open(Some(&folder.path().join("no/such"))).is_err());
        let mut device = Output::open(Some(Path::new("/dev/null"))).unwrap();
        device.put(b"x").unwrap();
        assert!(matches!(&device, Output::Device(..)));
        assert!(Output::open(Some(folder.path())).is_err(), "a folder was taken");
    }
}
