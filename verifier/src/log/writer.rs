//! Appends to a log, wherever it lies. What is acknowledged outlasts every failure of program, power or network.

#[cfg(feature = "object-storage")]
use super::bucket::BucketWriter;
use super::folder_writer::FolderWriter;
use super::index::Indexed;
use super::{Config, Folder};
use std::path::Path;
use vitrine_attest::{Result, Sha256};

/// A log that is open to be appended to.
pub struct Writer(Kept);

enum Kept {
    /// By this program alone.
    Folder(Box<FolderWriter>),
    /// By whoever has the log's key and the bucket's credentials.
    #[cfg(feature = "object-storage")]
    Bucket(Box<BucketWriter>),
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub index: u64,
    pub leaf: Sha256,
    /// It stood there before.
    pub duplicate: bool,
}

/// The same of both kinds.
macro_rules! each {
    ($kept:expr, $writer:ident => $what:expr) => {
        match $kept {
            Kept::Folder($writer) => $what,
            #[cfg(feature = "object-storage")]
            Kept::Bucket($writer) => $what,
        }
    };
}

impl Writer {
    /// Opens a log by its folder, and finishes what an earlier writer promised and did not finish.
    ///
    /// # Errors
    /// When another writer is at work in the same folder, the log is damaged, a witness knows more of it than is there, or disk or
    /// bucket fail.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Folder::new(path);
        let config = Config::read(&folder)?;
        Ok(Self(match &config.bucket {
            None => Kept::Folder(Box::new(FolderWriter::open(folder, config)?)),
            #[cfg(feature = "object-storage")]
            Some(_) => Kept::Bucket(Box::new(BucketWriter::open(&folder, config)?)),
            #[cfg(not(feature = "object-storage"))]
            Some(_) => return Err(super::config::no_object_storage(&folder)),
        }))
    }

    /// The entries in it.
    pub fn size(&self) -> u64 {
        each!(&self.0, writer => writer.size())
    }

    pub fn config(&self) -> &Config {
        each!(&self.0, writer => writer.config())
    }

    /// Appends entries that are not there yet, as one change: all of them or none. Returned, they are published.
    ///
    /// # Errors
    /// When one is too long (nothing is changed then), a witness is missing, or disk or bucket fail. What was promised by then is
    /// finished by the next who opens the log.
    pub fn append(&mut self, batch: &[&[u8]]) -> Result<Vec<Placed>> {
        each!(&mut self.0, writer => writer.append(batch))
    }

    /// Signs the newest checkpoint with all of the log's keys, has the witnesses sign it anew, and publishes it: so that nobody takes a
    /// log that rests for one that is held back.
    ///
    /// # Errors
    /// When a witness is missing, or disk or bucket fail.
    pub fn refresh(&mut self) -> Result<()> {
        each!(&mut self.0, writer => writer.refresh())
    }

    /// Brings the index up to what is published; `anew`: makes it from the entries alone, whatever is there.
    ///
    /// # Errors
    /// When it cannot be written. Nothing else is lost by that: whoever searches reads the entries that are not in it.
    pub fn index(&self, anew: bool) -> Result<Indexed> {
        each!(&self.0, writer => writer.index(anew))
    }
}
